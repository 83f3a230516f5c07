import { setImmediate } from 'node:timers/promises';
import type { Clock } from '#base';

/** A clock that stands still until a test moves it. */
export class SimulatedClock implements Clock {
  #nowMs: number;
  #monotonicMs = 0;
  #sleepers = new Set<{ dueMs: number; wake: () => void }>();

  constructor(nowMs = Date.UTC(2026, 0, 1)) {
    this.#nowMs = nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  sleep(durationMs: number, options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    const { signal } = options;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const cancel = (): void => {
        this.#sleepers.delete(sleeper);
        reject(signal!.reason);
      };
      // A signal outlives many sleeps; listeners left behind would make each next one slower.
      const wake = (): void => {
        signal?.removeEventListener('abort', cancel);
        resolve();
      };
      const sleeper = { dueMs: this.#monotonicMs + durationMs, wake };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', cancel, { once: true });
    });
  }

  /** Lets time pass; whoever sleeps wakes in order, and what it then does is done before the next one wakes. */
  async advance(durationMs: number): Promise<void> {
    const endMs = this.#monotonicMs + durationMs;
    for (;;) {
      await setImmediate();
      const next = [...this.#sleepers].reduce((a, b) => (b.dueMs < a.dueMs ? b : a), {
        dueMs: Infinity,
        wake: () => {},
      });
      this.#move(Math.min(next.dueMs, endMs) - this.#monotonicMs);
      if (next.dueMs > endMs) return;
      this.#sleepers.delete(next);
      next.wake();
    }
  }

  /** Runs until the promise settles, however long that takes. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settled = () => {
      isSettled = true;
    };
    promise.then(settled, settled);
    await setImmediate();
    while (!isSettled) await this.advance(100);
    return promise;
  }

  /** The wall clock is set, or the machine slept: timers did not run meanwhile. */
  jump(durationMs: number): void {
    this.#nowMs += durationMs;
  }

  #move(durationMs: number): void {
    this.#nowMs += durationMs;
    this.#monotonicMs += durationMs;
  }
}
