import type { Clock } from '#base';
import type { LagPause } from './lag-pause.ts';

/** Spreads reading evenly: whoever has read so many bytes waits until they are due. Shared by all that read at once. */
export class RateLimit {
  readonly #clock: Clock;
  readonly #bytesPerSecond: number | undefined;
  readonly #lag: LagPause | undefined;
  #dueMs = 0;

  constructor(clock: Clock, bytesPerSecond: number | undefined, lag?: LagPause) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
    this.#lag = lag;
  }

  async pay(bytes: number, signal: AbortSignal): Promise<void> {
    await this.#lag?.pass(signal);
    if (!this.#bytesPerSecond) return;
    const nowMs = this.#clock.monotonicMs();
    const startMs = Math.max(this.#dueMs, nowMs);
    this.#dueMs = startMs + (bytes / this.#bytesPerSecond) * 1000;
    if (startMs > nowMs) await this.#clock.sleep(startMs - nowMs, { signal });
  }
}
