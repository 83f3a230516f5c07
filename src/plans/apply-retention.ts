import type { SnapshotRecord } from '#catalog';
import type { KeepPolicy, Reason } from '#contract';
import { forgetSnapshots, type Repository, type SnapshotId } from '#repository';
import { decidePlanRetention, isPinning, oddityOf } from './plan-retention.ts';
import type { Records } from './records.ts';

const dayMs = 86_400_000;
/** How long a forgotten snapshot can be taken back. */
const trashMs = 7 * dayMs;

export interface RetentionOutcome {
  kept: number;
  /** Went into the trash now. */
  forgotten: number;
  /** Were in the trash long enough, and are gone. */
  purged: number;
  /** How the newest snapshot is unlike those before; unless the plan only warns of it, nothing was forgotten. */
  oddity?: Reason;
}

export interface RetentionChoice {
  plan: string;
  repository: string;
  keep: KeepPolicy;
  anomaly: 'hold' | 'warn' | 'ignore';
  nowMs: number;
  signal: AbortSignal;
}

/**
 * Applies a plan's retention in one repository: what no rule keeps goes into the trash, what was there long enough is
 * deleted. Nothing goes while the newest snapshot of a source is odd.
 */
export async function applyRetention(
  records: Records,
  repository: Repository,
  choice: RetentionChoice,
): Promise<RetentionOutcome> {
  const { plan, keep, nowMs } = choice;
  const all = (await records.snapshots.ofRepository(choice.repository)).filter((each) => each.plan === plan);
  const live = all.filter(({ forgottenAt }) => !forgottenAt);
  const oddity = choice.anomaly === 'ignore' ? undefined : firstOddity(live);
  if (oddity) await tellHold(records, choice, oddity);
  if (oddity && choice.anomaly === 'hold') return { kept: live.length, forgotten: 0, purged: 0, oddity };
  const forgotten = decidePlanRetention(live, keep, nowMs).filter(({ reasons }) => reasons.length === 0);
  const ids = forgotten.map(({ snapshot }) => snapshot.id);
  await records.snapshots.moveToTrash(choice.repository, ids, new Date(nowMs + trashMs));
  const purged = await purge(records, repository, choice);
  return { kept: live.length - ids.length, forgotten: ids.length, purged, ...(oddity && { oddity }) };
}

function firstOddity(live: readonly SnapshotRecord[]): Reason | undefined {
  const sources = Map.groupBy(live, ({ source }) => source);
  for (const [newest, ...before] of sources.values()) {
    const oddity = oddityOf(newest!, before);
    if (oddity) return oddity;
  }
  return undefined;
}

/** @returns how many snapshots left the trash for good */
async function purge(
  records: Records,
  repository: Repository,
  { plan, repository: name, nowMs, signal }: RetentionChoice,
): Promise<number> {
  const isOver = ({ trashUntil, pins }: SnapshotRecord): boolean =>
    trashUntil !== undefined && trashUntil.getTime() < nowMs && !pins.some((pin) => isPinning(pin, nowMs));
  // Looked up under the lock: somebody may have taken one back, or pinned it.
  const choose = async (): Promise<SnapshotId[]> => {
    const known = await records.snapshots.ofRepository(name);
    return known.filter((each) => each.plan === plan && isOver(each)).map(({ id }) => id as SnapshotId);
  };
  if ((await choose()).length === 0) return 0;
  const purged = await forgetSnapshots(repository, choose, { signal });
  await records.snapshots.remove(name, purged);
  return purged.length;
}

async function tellHold(
  records: Records,
  { plan, repository, anomaly }: RetentionChoice,
  reason: Reason,
): Promise<void> {
  await records.journal.add({
    type: anomaly === 'hold' ? 'retention.held' : 'snapshot.odd',
    severity: 'warning',
    message: `${plan} in ${repository}: ${reason.message}`,
    plan,
    facts: { repository, reason },
  });
}
