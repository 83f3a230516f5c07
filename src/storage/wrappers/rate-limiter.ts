import type { Clock } from '#base';

/** After a rest so much may pass at once; it also evens out late timers. */
const burstMs = 200;

/** Keeps a flow of bytes at or below a rate, in the order in which it is asked (a token bucket that counts time). */
export class RateLimiter {
  readonly #clock: Clock;
  readonly #bytesPerSecond: number;
  /** When everything that was let through so far would have passed at the rate. */
  #freeAtMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Waits until so many bytes have had the time to pass. */
  async pass(sizeBytes: number, signal: AbortSignal | undefined): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const startMs = Math.max(this.#freeAtMs, nowMs - burstMs);
    this.#freeAtMs = startMs + (sizeBytes * 1000) / this.#bytesPerSecond;
    if (this.#freeAtMs > nowMs) await this.#clock.sleep(this.#freeAtMs - nowMs, { signal });
  }
}
