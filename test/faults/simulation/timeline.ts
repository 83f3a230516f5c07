import type { Clock } from '#base';

interface Waking {
  dueMs: number;
  /** Decides between wakings of one instant. */
  order: number;
  wake: () => void;
}

/** The time of a simulated world. It stands still while anything can be done in memory, then leaps to the next waking. */
export class Timeline {
  #nowMs = Date.UTC(2026, 0, 1);
  #order = 0;
  /** A binary heap: the next waking comes first. */
  readonly #wakings: Waking[] = [];
  /** Work of the real world that is under way, and who goes on when there is none. */
  #realCount = 0;
  #onNoneReal: (() => void) | undefined;

  get nowMs(): number {
    return this.#nowMs;
  }

  wakeAt(dueMs: number, wake: () => void): void {
    const heap = this.#wakings;
    const waking = { dueMs: Math.max(dueMs, this.#nowMs), order: this.#order++, wake };
    let at = heap.length;
    for (; at > 0; at = (at - 1) >> 1) {
      const parent = heap[(at - 1) >> 1]!;
      if (isBefore(parent, waking)) break;
      heap[at] = parent;
    }
    heap[at] = waking;
  }

  sleep(durationMs: number): Promise<void> {
    return new Promise((resolve) => this.wakeAt(this.#nowMs + durationMs, resolve));
  }

  /** Lets no time pass while something happens outside, as at a real server. */
  async meanwhile<T>(work: () => Promise<T>): Promise<T> {
    this.#realCount++;
    try {
      return await work();
    } finally {
      this.#realCount--;
      if (this.#realCount === 0) {
        const goOn = this.#onNoneReal;
        this.#onNoneReal = undefined;
        if (goOn) setImmediate(goOn);
      }
    }
  }

  /** Lets time pass until the work is done. Rejects when nothing is left that could end it. */
  run<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const done = (): void => {
      isDone = true;
    };
    work.then(done, done);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    // An immediate comes when no promise has anything left to do.
    const step = (): void => {
      if (this.#realCount > 0 && !isDone) {
        this.#onNoneReal = step;
        return;
      }
      const next = isDone ? undefined : this.#takeNext();
      if (!next) {
        if (isDone) resolve(work);
        else reject(new Error('everybody waits, and nothing is left that could wake them'));
        return;
      }
      this.#nowMs = next.dueMs;
      next.wake();
      setImmediate(step);
    };
    setImmediate(step);
    return promise;
  }

  #takeNext(): Waking | undefined {
    const heap = this.#wakings;
    const first = heap[0];
    const last = heap.pop();
    if (!first || !last || heap.length === 0) return first;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (isBefore(last, heap[child]!)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(a: Waking, b: Waking): boolean {
  return a.dueMs === b.dueMs ? a.order < b.order : a.dueMs < b.dueMs;
}

/** The clock of one process, which may be frozen with its machine, or die. */
export class ProcessClock implements Clock {
  readonly #timeline: Timeline;
  readonly #skewMs: number;
  readonly #standsStill: boolean;
  #frozenAtMs = 0;
  #frozenUntilMs = 0;
  #stoodStillMs = 0;
  #isDead = false;

  /**
   * @param options.skewMs how far this machine's clock is ahead
   * @param options.standsStill timers do not run while the machine sleeps (standby); otherwise they are late (SIGSTOP)
   */
  constructor(timeline: Timeline, options: { skewMs: number; standsStill: boolean }) {
    this.#timeline = timeline;
    this.#skewMs = options.skewMs;
    this.#standsStill = options.standsStill;
  }

  nowMs(): number {
    return this.#timeline.nowMs + this.#skewMs;
  }

  monotonicMs(): number {
    const atMs = this.#isFrozen() && this.#standsStill ? this.#frozenAtMs : this.#timeline.nowMs;
    return atMs - this.#stoodStillMs;
  }

  /** The process does nothing for so long. */
  freeze(durationMs: number): void {
    if (this.#isFrozen()) return;
    this.#frozenAtMs = this.#timeline.nowMs;
    this.#frozenUntilMs = this.#frozenAtMs + durationMs;
  }

  /** Nobody wakes any more. */
  kill(): void {
    this.#isDead = true;
  }

  sleep(durationMs: number, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const dueMs = this.monotonicMs() + durationMs;
    let isOver = false;
    const onAbort = (): void => {
      isOver = true;
      reject(signal!.reason);
    };
    const wake = (): void => {
      if (isOver || this.#isDead) return;
      const waitMs = this.#waitMs(dueMs);
      if (waitMs > 0) {
        this.#timeline.wakeAt(this.#timeline.nowMs + waitMs, wake);
        return;
      }
      signal?.removeEventListener('abort', onAbort);
      resolve();
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#timeline.wakeAt(this.#timeline.nowMs + durationMs, wake);
    return promise;
  }

  /** How long a sleeper must still wait. */
  #waitMs(dueMs: number): number {
    const frozenMs = this.#isFrozen() ? this.#frozenUntilMs - this.#timeline.nowMs : 0;
    const leftMs = dueMs - this.monotonicMs();
    return this.#standsStill ? frozenMs + leftMs : Math.max(frozenMs, leftMs);
  }

  #isFrozen(): boolean {
    const { nowMs } = this.#timeline;
    if (nowMs < this.#frozenUntilMs) return true;
    if (this.#standsStill) this.#stoodStillMs += this.#frozenUntilMs - this.#frozenAtMs;
    this.#frozenAtMs = this.#frozenUntilMs;
    return false;
  }
}
