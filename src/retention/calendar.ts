import type { RetentionSnapshot } from './snapshot.ts';

/** Spans of the calendar in which one snapshot is enough. */
export type Period = 'hour' | 'day' | 'week' | 'month' | 'year';

const dayMs = 86_400_000;

/** Equal for two snapshots exactly when they were taken in the same hour, day … of their own zones. */
export function periodOf({ timeNs, utcOffsetMinutes }: RetentionSnapshot, period: Period): string {
  const utcMs = Math.floor(Number(timeNs / 1_000_000n));
  const local = new Date(utcMs + utcOffsetMinutes * 60_000);
  switch (period) {
    case 'hour':
      return local.toISOString().slice(0, -11);
    case 'day':
      return local.toISOString().slice(0, -14);
    case 'week':
      return isoWeekOf(local);
    case 'month':
      return local.toISOString().slice(0, -17);
    case 'year':
      return String(local.getUTCFullYear());
  }
}

/** ISO 8601 week: the one with the year's first Thursday is the first. */
function isoWeekOf(date: Date): string {
  const daysSinceMonday = (date.getUTCDay() + 6) % 7;
  const thursday = new Date(date.getTime() + (3 - daysSinceMonday) * dayMs);
  const year = thursday.getUTCFullYear();
  const dayOfYear = Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / dayMs);
  return `${year}-W${Math.floor(dayOfYear / 7) + 1}`;
}
