import { type Period, periodOf } from './calendar.ts';
import { before, type Duration, formatDuration, isZeroDuration } from './duration.ts';
import { type GroupBy, type GroupKey, groupSnapshots } from './group.ts';
import { assertSensible, type RetentionPolicy } from './policy.ts';
import { newestFirst, type RetentionSnapshot } from './snapshot.ts';

/** One snapshot and why it stays; without a reason it is to be dropped. */
export interface Decision<Snapshot> {
  snapshot: Snapshot;
  /** For people, in restic's words: `daily snapshot`, `within 35d`, `oldest monthly snapshot` … */
  reasons: string[];
}

export interface GroupDecision<Snapshot> {
  key: GroupKey;
  /** Newest first. */
  keep: Decision<Snapshot>[];
  forget: Snapshot[];
}

/**
 * Applies a policy to each group of snapshots: restic's `forget`, with one addition: a group never loses its last
 * snapshot, nor its last whole one. Nothing is deleted here.
 * @throws RetentionError 'retention.empty-policy', 'retention.policy'
 */
export function decideRetention<Snapshot extends RetentionSnapshot>(
  snapshots: readonly Snapshot[],
  policy: RetentionPolicy,
  options: { nowMs: number; groupBy?: readonly GroupBy[] },
): GroupDecision<Snapshot>[] {
  assertSensible(policy);
  const groups = groupSnapshots(snapshots, options.groupBy ?? ['host', 'paths']);
  return groups.map(({ key, snapshots: members }) => {
    const decisions = decideGroup(members.toSorted(newestFirst), policy, options.nowMs);
    keepLast(decisions, 'last one of its group');
    keepLast(
      decisions.filter(({ snapshot }) => isWhole(snapshot)),
      'last whole one of its group',
    );
    return {
      key,
      keep: decisions.filter(({ reasons }) => reasons.length > 0),
      forget: decisions.filter(({ reasons }) => reasons.length === 0).map(({ snapshot }) => snapshot),
    };
  });
}

/** @param decisions newest first */
function keepLast(decisions: readonly Decision<RetentionSnapshot>[], reason: string): void {
  if (decisions.every(({ reasons }) => reasons.length === 0)) decisions[0]?.reasons.push(reason);
}

function isWhole({ summary }: RetentionSnapshot): boolean {
  return !summary?.filesLost;
}

/** @param sorted newest first */
function decideGroup<Snapshot extends RetentionSnapshot>(
  sorted: readonly Snapshot[],
  policy: RetentionPolicy,
  nowMs: number,
): Decision<Snapshot>[] {
  const rules = rulesOf(policy, newestNotInFuture(sorted, nowMs));
  return sorted.map((snapshot, i) => {
    const isOldest = i === sorted.length - 1;
    return { snapshot, reasons: rules.flatMap((rule) => rule(snapshot, isOldest) ?? []) };
  });
}

/** A rule sees the snapshots from the newest to the oldest and gives its reason to keep one, or nothing. */
type Rule = (snapshot: RetentionSnapshot, isOldest: boolean) => string | string[] | undefined;

/** All rules of a policy, in the order in which restic names their reasons. */
function rulesOf(policy: RetentionPolicy, newest: RetentionSnapshot | undefined): Rule[] {
  const { last = 0, hourly = 0, daily = 0, weekly = 0, monthly = 0, yearly = 0 } = policy;
  const younger = (duration: Duration | undefined) => isYoungerThan(duration, newest);
  return [
    keepPinned,
    keepTagged(policy.tags ?? []),
    keepWithin(policy.within, younger(policy.within)),
    keepCount(last, undefined, 'last snapshot'),
    keepCount(hourly, 'hour', 'hourly snapshot'),
    keepCount(daily, 'day', 'daily snapshot'),
    keepCount(weekly, 'week', 'weekly snapshot'),
    keepCount(monthly, 'month', 'monthly snapshot'),
    keepCount(yearly, 'year', 'yearly snapshot'),
    keepPeriodWithin('hour', 'hourly within', policy.withinHourly, younger(policy.withinHourly)),
    keepPeriodWithin('day', 'daily within', policy.withinDaily, younger(policy.withinDaily)),
    keepPeriodWithin('week', 'weekly within', policy.withinWeekly, younger(policy.withinWeekly)),
    keepPeriodWithin('month', 'monthly within', policy.withinMonthly, younger(policy.withinMonthly)),
    keepPeriodWithin('year', 'yearly within', policy.withinYearly, younger(policy.withinYearly)),
  ];
}

/** Pinned by hand, or because something dangerous was done after it. */
function keepPinned({ tags }: RetentionSnapshot): string | undefined {
  return tags.includes('pin') ? 'pinned' : undefined;
}

function keepTagged(lists: readonly (readonly string[])[]): Rule {
  const isMet = (tags: readonly string[], list: readonly string[]) =>
    list.every((tag) => tags.includes(tag) || (tag === '' && tags.length === 0));
  return ({ tags }) =>
    lists.filter((list) => isMet(tags, list)).map((list) => `has tags [${list.join(', ')}]`);
}

function keepWithin(
  duration: Duration | undefined,
  isYounger: (snapshot: RetentionSnapshot) => boolean,
): Rule {
  return (snapshot) => (isYounger(snapshot) ? `within ${formatDuration(duration!)}` : undefined);
}

/**
 * Keeps the newest of each period (of all without one) while the count lasts, and the oldest of all when it lasts
 * to the end: that makes the history as long as the count allows.
 */
function keepCount(count: number, period: Period | undefined, reason: string): Rule {
  let left = count;
  let lastPeriod: string | undefined;
  return (snapshot, isOldest) => {
    if (left === 0) return undefined;
    const current = period && periodOf(snapshot, period);
    const isNew = current === undefined || current !== lastPeriod;
    if (!isNew && !isOldest) return undefined;
    lastPeriod = current;
    if (left > 0) left--;
    return isNew ? reason : `oldest ${reason}`;
  };
}

function keepPeriodWithin(
  period: Period,
  reason: string,
  duration: Duration | undefined,
  isYounger: (snapshot: RetentionSnapshot) => boolean,
): Rule {
  let lastPeriod: string | undefined;
  return (snapshot, isOldest) => {
    if (!isYounger(snapshot)) return undefined;
    const current = periodOf(snapshot, period);
    const isNew = current !== lastPeriod;
    if (!isNew && !isOldest) return undefined;
    lastPeriod = current;
    return `${isNew ? '' : 'oldest '}${reason} ${formatDuration(duration!)}`;
  };
}

/** Whether a snapshot was taken within the duration before the newest one. */
function isYoungerThan(
  duration: Duration | undefined,
  newest: RetentionSnapshot | undefined,
): (snapshot: RetentionSnapshot) => boolean {
  if (duration === undefined || isZeroDuration(duration)) return () => false;
  // When all are in the future the clock is wrong; then all are young, and nothing is dropped.
  if (newest === undefined) return () => true;
  const limitNs = before(newest.timeNs, newest.utcOffsetMinutes, duration);
  return ({ timeNs }) => timeNs > limitNs;
}

function newestNotInFuture(
  sorted: readonly RetentionSnapshot[],
  nowMs: number,
): RetentionSnapshot | undefined {
  const nowNs = BigInt(Math.floor(nowMs)) * 1_000_000n;
  return sorted.find(({ timeNs }) => timeNs < nowNs);
}
