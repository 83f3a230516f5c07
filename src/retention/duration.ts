import { RetentionError } from './errors.ts';

/** A span in units of the calendar: a month is not a number of days. */
export interface Duration {
  years: number;
  months: number;
  days: number;
  hours: number;
}

const units = { y: 'years', m: 'months', d: 'days', h: 'hours' } as const;

/** Reads restic's notation: `1y5m7d2h`. @throws RetentionError 'retention.policy' */
export function parseDuration(text: string): Duration {
  const duration: Duration = { years: 0, months: 0, days: 0, hours: 0 };
  if (!/^\s*(\d{1,6}[ymdh])+\s*$/.test(text)) {
    throw new RetentionError('retention.policy', `'${text}' is not a duration`, {
      hint: 'Write years, months, days and hours like 1y6m, 35d or 12h.',
    });
  }
  for (const [, count, unit] of text.matchAll(/(\d+)([ymdh])/g))
    duration[units[unit as keyof typeof units]] = Number(count);
  return duration;
}

/** The notation that `parseDuration` reads. */
export function formatDuration(duration: Duration): string {
  const parts = Object.entries(units).map(([letter, unit]) =>
    duration[unit] === 0 ? '' : `${duration[unit]}${letter}`,
  );
  return parts.join('') || '0h';
}

/** About as many: a month counts 30. */
export function daysOf({ years, months, days, hours }: Duration): number {
  return years * 365 + months * 30 + days + hours / 24;
}

export function isZeroDuration({ years, months, days, hours }: Duration): boolean {
  return years === 0 && months === 0 && days === 0 && hours === 0;
}

/**
 * The instant that lies so long before another, counted on the calendar of a zone. A day that a month does not have
 * runs over into the next month, as Go's AddDate does it: one month before 31 March is 3 March (or 2).
 */
export function before(timeNs: bigint, utcOffsetMinutes: number, duration: Duration): bigint {
  const offsetNs = BigInt(utcOffsetMinutes) * 60_000_000_000n;
  const local = timeNs + offsetNs;
  const localMs = local / 1_000_000n - (local % 1_000_000n < 0n ? 1n : 0n);
  const date = new Date(Number(localMs));
  date.setUTCFullYear(
    date.getUTCFullYear() - duration.years,
    date.getUTCMonth() - duration.months,
    date.getUTCDate() - duration.days,
  );
  const hoursNs = BigInt(duration.hours) * 3_600_000_000_000n;
  return BigInt(date.getTime()) * 1_000_000n + (local - localMs * 1_000_000n) - offsetNs - hoursNs;
}
