import { z } from 'zod';
import { Span, spanMs, Timestamp, Zone } from './time.ts';

const oneOrMore = (pattern: RegExp, message: string) => {
  const text = z.string().regex(pattern, message);
  return z.union([text, z.array(text).min(1).max(48)]);
};
const hourMinute = '([01]\\d|2[0-3]):[0-5]\\d';
const TimeOfDay = z.string().regex(new RegExp(`^${hourMinute}$`), 'write a time as "02:30", in quotes');

export const Weekday = z.enum(['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']).meta({ id: 'Weekday' });
export type Weekday = z.infer<typeof Weekday>;

/** A part of the day, on some days; `22:00` to `06:00` passes midnight and belongs to the day on which it begins. */
export const DayWindow = z
  .strictObject({ days: z.array(Weekday).min(1).optional(), from: TimeOfDay, to: TimeOfDay })
  .meta({ id: 'DayWindow' });
export type DayWindow = z.infer<typeof DayWindow>;

/** A time in which nothing starts: each week, or once. */
export const Blackout = z
  .union([DayWindow, z.strictObject({ from: Timestamp, to: Timestamp })])
  .meta({ id: 'Blackout' });
export type Blackout = z.infer<typeof Blackout>;

const rhythms = ['every', 'hourly', 'daily', 'weekly', 'monthly', 'cron'] as const;

/** When something runs by itself: one rhythm, in one time zone. */
export const Schedule = z
  .strictObject({
    every: Span.refine(isEvenPart, 'takes minutes that divide an hour or hours that divide a day').optional(),
    hourly: z.int().min(0).max(59).optional().describe('at this minute'),
    daily: oneOrMore(new RegExp(`^${hourMinute}$`), 'write a time as "02:30", in quotes').optional(),
    weekly: oneOrMore(
      new RegExp(`^(Mon|Tue|Wed|Thu|Fri|Sat|Sun) ${hourMinute}$`),
      'write it as "Sun 03:00"',
    ).optional(),
    monthly: oneOrMore(
      new RegExp(`^([1-9]|[12]\\d|3[01]|last) ${hourMinute}$`),
      'write it as "1 03:00" or "last 03:00"',
    ).optional(),
    cron: oneOrMore(/^\S+( +\S+){4}$/, 'write five fields: minute, hour, day, month, weekday').optional(),
    zone: Zone.optional().describe('default: the zone of the settings, else UTC'),
    jitter: Span.refine((span) => spanMs(span) <= dayMs, 'spreads by a day at most')
      .optional()
      .describe('spreads the start by up to so much, always the same for one plan'),
    windows: z.array(DayWindow).min(1).optional().describe('starts only inside one of them'),
    blackouts: z.array(Blackout).min(1).optional(),
    missed: z
      .enum(['catch-up', 'report'])
      .optional()
      .describe('default: one run catches up all that were missed'),
  })
  .refine((schedule) => rhythms.filter((rhythm) => schedule[rhythm] !== undefined).length === 1, {
    error: `give exactly one of ${rhythms.join(', ')}`,
  })
  .meta({ id: 'Schedule', examples: [{ daily: '02:30', zone: 'Europe/Paris', jitter: '5min' }] });
export type Schedule = z.infer<typeof Schedule>;

const [minuteMs, hourMs, dayMs] = [60_000, 3_600_000, 86_400_000];

function isEvenPart(span: Span): boolean {
  const ms = spanMs(span);
  if (ms < minuteMs || ms > dayMs) return false;
  return ms < hourMs ? ms % minuteMs === 0 && hourMs % ms === 0 : ms % hourMs === 0 && dayMs % ms === 0;
}

/** GET …/schedule/preview: what a schedule means. */
export const SchedulePreview = z
  .object({
    sentence: z.string().describe('"Every day at 02:30 (Europe/Paris)"'),
    nextRuns: z.array(Timestamp).max(5),
  })
  .meta({ id: 'SchedulePreview' });
export type SchedulePreview = z.infer<typeof SchedulePreview>;
