import { setTimeout as delay } from 'node:timers/promises';

/** Time as an argument, so that tests and simulations own it. */
export interface Clock {
  /** Milliseconds since 1970, wall clock. */
  nowMs(): number;
  /** Milliseconds from an arbitrary point, never going back. */
  monotonicMs(): number;
  /** Resolves after `durationMs`; rejects with the signal's reason when it is aborted. Does not keep the process alive when `background`. */
  sleep(
    durationMs: number,
    options?: { signal?: AbortSignal | undefined; background?: boolean },
  ): Promise<void>;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (durationMs, options = {}) =>
    delay(durationMs, undefined, {
      ...(options.signal ? { signal: options.signal } : {}),
      ref: !options.background,
    }),
};
