import assert from 'node:assert/strict';

/** A limit on how much happens at once. Whoever waits longest is next. */
export class Slots {
  #freeCount: number;
  readonly #waiting = new Set<() => void>();

  constructor(count: number) {
    assert(count >= 1, `${count} slots`);
    this.#freeCount = count;
  }

  /** Waits for a slot; rejects with the signal's reason when it is aborted first. */
  async acquire(signal: AbortSignal | undefined): Promise<Slot> {
    const slot = new Slot(this, signal);
    await slot.resume();
    return slot;
  }

  /** Runs the work in a slot. */
  async use<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const slot = await this.acquire(signal);
    try {
      return await work();
    } finally {
      slot.end();
    }
  }

  /** For `Slot` only. */
  async take(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.#freeCount > 0) {
      this.#freeCount--;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => {
      this.#waiting.delete(resolve);
      reject(signal?.reason);
    };
    this.#waiting.add(resolve);
    signal?.addEventListener('abort', onAbort, { once: true });
    await promise.finally(() => signal?.removeEventListener('abort', onAbort));
  }

  /** For `Slot` only. The slot is handed to who waits, so nobody can slip in between. */
  give(): void {
    const [next] = this.#waiting;
    if (!next) {
      this.#freeCount++;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}

/** A place among the limited ones, held while the storage works and lent to others while it waits for us. */
export class Slot {
  readonly #slots: Slots;
  readonly #signal: AbortSignal | undefined;
  #isHeld = false;
  #isEnded = false;

  constructor(slots: Slots, signal: AbortSignal | undefined) {
    this.#slots = slots;
    this.#signal = signal;
  }

  /** Gives the slot away until `resume`. */
  pause(): void {
    if (this.#isHeld) this.#slots.give();
    this.#isHeld = false;
  }

  /** Waits in the queue again. */
  async resume(): Promise<void> {
    if (this.#isHeld || this.#isEnded) return;
    await this.#slots.take(this.#signal);
    this.#isHeld = true;
    // The work may have ended while we stood in the queue; nobody would give the slot back then.
    if (this.#isEnded) this.pause();
  }

  /** Gives the slot away for good; may be called twice. */
  end(): void {
    this.#isEnded = true;
    this.pause();
  }
}
