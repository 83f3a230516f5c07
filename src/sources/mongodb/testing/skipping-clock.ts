import { setImmediate } from 'node:timers/promises';
import type { Clock } from '#base';

/** A clock that waits for nothing: sleeping moves it on. */
export class SkippingClock implements Clock {
  #atMs = 1_700_000_000_000;

  nowMs(): number {
    return this.#atMs;
  }

  monotonicMs(): number {
    return this.#atMs;
  }

  async sleep(durationMs: number, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    this.#atMs += durationMs;
    // Others are to have their turn.
    await setImmediate();
    signal?.throwIfAborted();
  }
}
