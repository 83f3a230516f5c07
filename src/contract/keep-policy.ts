import { z } from 'zod';

const Count = z.union([z.int().min(1), z.literal('all')]);
const Period = z
  .string()
  .regex(/^(\d{1,6}[ymdh])+$/, 'write years, months, days and hours, such as 1y6m, 35d or 12h');

/**
 * A retention policy as it is written: a snapshot stays when any of the rules keeps it. 0 is refused: it would be
 * read as "nothing" by some and as "no rule" by others.
 */
export const KeepPolicy = z
  .strictObject({
    last: Count.optional().describe('the newest so many'),
    hourly: Count.optional().describe('the newest of each of so many hours that have one'),
    daily: Count.optional(),
    weekly: Count.optional().describe('weeks begin on Monday'),
    monthly: Count.optional(),
    yearly: Count.optional(),
    within: Period.optional().describe('all that are younger; the best rule for a locked storage'),
    withinHourly: Period.optional(),
    withinDaily: Period.optional(),
    withinWeekly: Period.optional(),
    withinMonthly: Period.optional(),
    withinYearly: Period.optional(),
    tags: z.array(z.array(z.string()).min(1)).min(1).optional().describe('all tags of one of the lists'),
  })
  .refine(
    (policy) => Object.keys(policy).length > 0,
    'a policy without a rule keeps nothing; give at least one',
  )
  .meta({ id: 'KeepPolicy', examples: [{ daily: 7, weekly: 4, monthly: 6, yearly: 1 }] });
export type KeepPolicy = z.infer<typeof KeepPolicy>;
