import { HoldfastError } from '#base';

const [secondMs, minuteMs, hourMs] = [1000, 60_000, 3_600_000];

/** How long to wait after the first attempt, the second …; after the last there is none. About 16 hours together. */
export const deliveryDelaysMs: readonly number[] = [
  10 * secondMs,
  minuteMs,
  5 * minuteMs,
  30 * minuteMs,
  2 * hourMs,
  5 * hourMs,
  8 * hourMs,
];

/** A service cannot make us wait longer than this. */
const retryAfterMsMax = 6 * hourMs;

/**
 * How long to wait before a delivery is tried again, not less than the service asked for; undefined: never.
 * @param attempts that were made, all in vain
 * @param error of the last one
 */
export function nextAttemptDelayMs(attempts: number, error: unknown): number | undefined {
  const delayMs = deliveryDelaysMs[attempts - 1];
  if (delayMs === undefined || !(error instanceof HoldfastError) || error.retry === 'never') return undefined;
  const { retryAfterMs } = error.context;
  const askedMs = typeof retryAfterMs === 'number' ? Math.min(retryAfterMs, retryAfterMsMax) : 0;
  return Math.max(delayMs, askedMs);
}
