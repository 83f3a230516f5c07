import { type Span, spanMs } from '#contract';

/** How a plan stands to its objective. */
export interface Lateness {
  isLate: boolean;
  /** When the newest snapshot is, or was, too old. */
  deadlineMs: number;
}

/**
 * Whether the newest good snapshot is older than the objective allows.
 * @param newestMs when the newest good snapshot was taken; without one, time counts from when the plan was made
 */
export function latenessOf(
  objective: Span,
  times: { newestMs: number | undefined; plannedMs: number; nowMs: number },
): Lateness {
  const deadlineMs = (times.newestMs ?? times.plannedMs) + spanMs(objective);
  return { isLate: times.nowMs > deadlineMs, deadlineMs };
}
