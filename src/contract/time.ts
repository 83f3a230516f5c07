import { z } from 'zod';

/** An instant in UTC: `2026-11-24T02:30:00.000Z`. */
export const Timestamp = z.iso.datetime().meta({ id: 'Timestamp', examples: ['2026-11-24T02:30:00.000Z'] });
export type Timestamp = z.infer<typeof Timestamp>;

const unitsMs = { s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

/** A length of time of fixed units: `90s`, `10min`, `26h`, `7d`, `1h30min`. Not for retention, whose months are of the calendar. */
export const Span = z
  .string()
  .regex(/^(\d{1,6}(s|min|h|d|w))+$/, 'write a number and s, min, h, d or w, such as 10min or 26h')
  .meta({ id: 'Span', examples: ['26h'] });
export type Span = z.infer<typeof Span>;

/** The length of a span in milliseconds. */
export function spanMs(span: Span): number {
  let sum = 0;
  for (const [, count, unit] of span.matchAll(/(\d+)(min|[shdw])/g))
    sum += Number(count) * unitsMs[unit as keyof typeof unitsMs];
  return sum;
}

/** A zone of the IANA list: `Europe/Paris`. */
export const Zone = z
  .string()
  .refine(isZone, 'there is no such time zone; write one like Europe/Paris or UTC')
  .meta({ id: 'Zone', examples: ['Europe/Paris'] });
export type Zone = z.infer<typeof Zone>;

function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return !/^[+-]/.test(zone);
  } catch {
    return false;
  }
}
