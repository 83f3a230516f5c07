import { setImmediate } from 'node:timers/promises';
import type { Clock } from '#base';

interface Sleeper {
  dueMs: number;
  wake: () => void;
}

/** A clock that leaps to the next waking as soon as nothing else is left to do, so that no test waits. */
export class LeapingClock implements Clock {
  #nowMs = Date.UTC(2026, 0, 1);
  readonly #sleepers = new Set<Sleeper>();
  #isLeaping = false;

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  async sleep(durationMs: number, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const sleeper = { dueMs: this.#nowMs + durationMs, wake: resolve };
    const onAbort = () => {
      this.#sleepers.delete(sleeper);
      reject(signal?.reason);
    };
    this.#sleepers.add(sleeper);
    signal?.addEventListener('abort', onAbort, { once: true });
    if (!this.#isLeaping) void this.#leap();
    await promise.finally(() => signal?.removeEventListener('abort', onAbort));
  }

  /** Wakes one after the other, in order; what each then does in memory is done before the next one wakes. */
  async #leap(): Promise<void> {
    this.#isLeaping = true;
    for (;;) {
      await setImmediate();
      const [first, ...others] = this.#sleepers;
      if (!first) break;
      const next = others.reduce((a, b) => (b.dueMs < a.dueMs ? b : a), first);
      this.#sleepers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.wake();
    }
    this.#isLeaping = false;
  }
}
