import type { PinRecord, SnapshotRecord } from '#catalog';
import type { KeepPolicy, Reason } from '#contract';
import { decideRetention, parseDuration, type RetentionPolicy } from '#retention';

/** What becomes of one snapshot, and why it stays. */
export interface Verdict {
  snapshot: SnapshotRecord;
  /** Empty: it is forgotten. */
  reasons: string[];
}

/** A policy as it is written, as retention takes it. @throws RetentionError 'retention.policy' */
function policyOf(keep: KeepPolicy): RetentionPolicy {
  const entries = Object.entries(keep).map(([rule, value]) => {
    if (rule.startsWith('within')) return [rule, parseDuration(value as string)];
    return [rule, value === 'all' ? -1 : value];
  });
  return Object.fromEntries(entries) as RetentionPolicy;
}

/**
 * Decides for the snapshots of one plan in one repository, source by source. Beside the policy's own rules stay: the
 * last good one, the last proven one, what is pinned.
 * @param snapshots none of them in the trash
 * @returns newest first within each source
 */
export function decidePlanRetention(
  snapshots: readonly SnapshotRecord[],
  keep: KeepPolicy,
  nowMs: number,
): Verdict[] {
  const policy = policyOf(keep);
  const bySource = Map.groupBy(snapshots, ({ source }) => source ?? '');
  return [...bySource.values()].flatMap((ofSource) => decideSource(ofSource, policy, nowMs));
}

function decideSource(
  snapshots: readonly SnapshotRecord[],
  policy: RetentionPolicy,
  nowMs: number,
): Verdict[] {
  const looked = snapshots.map((snapshot) => ({
    id: snapshot.id,
    timeNs: BigInt(snapshot.takenAt.getTime()) * 1_000_000n,
    utcOffsetMinutes: 0,
    hostname: '',
    paths: [],
    tags: [],
    snapshot,
  }));
  const [decided] = decideRetention(looked, policy, { nowMs, groupBy: [] });
  const reasonsById = new Map(decided?.keep.map(({ snapshot: { id }, reasons }) => [id, reasons]));
  const newestFirst = snapshots.toSorted((one, other) => other.takenAt.getTime() - one.takenAt.getTime());
  const lastGood = newestFirst.find(({ facts }) => facts.state === 'succeeded');
  const lastProven = newestFirst.find(isProven);
  return newestFirst.map((snapshot) => ({
    snapshot,
    reasons: [
      ...(reasonsById.get(snapshot.id) ?? []),
      ...(snapshot === lastGood ? ['last good one'] : []),
      ...(snapshot === lastProven ? ['last proven one'] : []),
      ...snapshot.pins.filter((pin) => isPinning(pin, nowMs)).map(({ by }) => `pinned by ${by}`),
    ],
  }));
}

/** Whether a pin still holds. */
export function isPinning({ until }: PinRecord, nowMs: number): boolean {
  return !until || Date.parse(until) > nowMs;
}

/** Whether its data was really read back or restored, and was right. */
export function isProven({ badges }: Pick<SnapshotRecord, 'badges'>): boolean {
  return badges.some(({ rung, state }) => state === 'proven' && (rung === 'read-back' || rung === 'drilled'));
}

/** Runs that say what is usual. */
const usualCountMin = 3;
const usualCountMax = 10;

/**
 * Looks whether a new snapshot is so unlike those before it that nothing older may go: 0 bytes, less than half, more
 * than three times the usual, or half of the files gone.
 */
export function oddityOf(newest: SnapshotRecord, before: readonly SnapshotRecord[]): Reason | undefined {
  const bytes = numberOf(newest, 'processedBytes');
  const usualBytes = median(before, 'processedBytes');
  if (bytes === 0 && usualBytes !== 0) return held('it has 0 bytes');
  if (bytes !== undefined && usualBytes) {
    const share = bytes / usualBytes;
    if (share < 0.5) return held(`it has ${Math.round(share * 100)} % of the usual bytes`);
    if (share > 3) return held(`it has ${share.toFixed(1)} times the usual bytes`);
  }
  const items = numberOf(newest, 'itemCount');
  const usualItems = median(before, 'itemCount');
  if (items !== undefined && usualItems && items / usualItems < 0.5)
    return held(`it has ${items} files, where ${usualItems} are usual`);
  return undefined;
}

function held(what: string): Reason {
  return {
    code: 'workflows.odd-snapshot',
    message: `the new snapshot is unlike those before: ${what}`,
    hint: 'Look into the snapshot. If it is right, run the plan again: what is usual will follow.',
  };
}

function numberOf({ facts }: SnapshotRecord, name: string): number | undefined {
  const value = facts[name];
  return typeof value === 'number' ? value : undefined;
}

function median(snapshots: readonly SnapshotRecord[], name: string): number | undefined {
  const values = snapshots.slice(0, usualCountMax).flatMap((snapshot) => numberOf(snapshot, name) ?? []);
  if (values.length < usualCountMin) return undefined;
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)];
}
