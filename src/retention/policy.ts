import { type Duration, daysOf, isZeroDuration } from './duration.ts';
import { RetentionError } from './errors.ts';

/**
 * Which snapshots of a group stay; the rules are OR-ed. Counts are of snapshots: 0 or absent means that the rule does
 * not exist, -1 means without limit.
 */
export interface RetentionPolicy {
  /** The newest ones. */
  last?: number;
  /** The newest of each of the last hours, days … in which there is one. */
  hourly?: number;
  daily?: number;
  /** ISO weeks: from Monday, and a week belongs to the year of its Thursday. */
  weekly?: number;
  monthly?: number;
  yearly?: number;
  /** All that are younger than this, counted from the newest snapshot of the group that is not in the future. */
  within?: Duration;
  /** The newest of each hour, day … among those. */
  withinHourly?: Duration;
  withinDaily?: Duration;
  withinWeekly?: Duration;
  withinMonthly?: Duration;
  withinYearly?: Duration;
  /** Snapshots that have all tags of one of these lists. An empty tag means "has no tags". */
  tags?: readonly (readonly string[])[];
}

const counts = ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const;
const durations = [
  'within',
  'withinHourly',
  'withinDaily',
  'withinWeekly',
  'withinMonthly',
  'withinYearly',
] as const;

/** Whether no rule would keep anything. */
export function isEmptyPolicy(policy: RetentionPolicy): boolean {
  return (
    counts.every((rule) => (policy[rule] ?? 0) === 0) &&
    durations.every((rule) => policy[rule] === undefined || isZeroDuration(policy[rule])) &&
    (policy.tags ?? []).length === 0
  );
}

/** Refuses a policy that would drop everything, or that says what makes no sense. @throws RetentionError */
export function assertSensible(policy: RetentionPolicy): void {
  for (const rule of counts) {
    const count = policy[rule] ?? 0;
    if (!Number.isInteger(count) || count < -1) {
      throw new RetentionError('retention.policy', `cannot keep ${count} snapshots by the rule '${rule}'`, {
        hint: 'Give a whole number, or -1 to keep all.',
      });
    }
  }
  if (isEmptyPolicy(policy)) {
    throw new RetentionError('retention.empty-policy', 'the retention policy keeps nothing', {
      hint: 'Give at least one rule, for example --keep-daily 14.',
    });
  }
}

const daysOfOne = { hourly: 1 / 24, daily: 1, weekly: 7, monthly: 30, yearly: 365 } as const;

/**
 * How many days back the rules reach when there is a snapshot in each period. What keeps by number or by tags alone
 * tells no time and counts as nothing.
 */
export function reachDaysOf(policy: RetentionPolicy): number {
  const periods = Object.entries(daysOfOne) as [keyof typeof daysOfOne, number][];
  const counted = periods.map(([rule, days]) => {
    const count = policy[rule] ?? 0;
    return count < 0 ? Number.POSITIVE_INFINITY : count * days;
  });
  return Math.max(...counted, ...durations.map((rule) => (policy[rule] ? daysOf(policy[rule]) : 0)));
}
