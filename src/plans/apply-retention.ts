import type { KeepPolicy, Reason } from '#contract';
import { forgetSnapshots, type Repository, type SnapshotId } from '#repository';
import { decidePlanRetention, oddityOf } from './plan-retention.ts';
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
  /** Why nothing was forgotten. */
  hold?: Reason;
}

/**
 * Applies a plan's retention in one repository: what no rule keeps goes into the trash, what was there long enough is
 * deleted. Nothing goes while the newest snapshot of a source is odd.
 */
export async function applyRetention(
  records: Records,
  repository: Repository,
  choice: { plan: string; repository: string; keep: KeepPolicy; nowMs: number; signal: AbortSignal },
): Promise<RetentionOutcome> {
  const { plan, keep, nowMs, signal } = choice;
  const all = (await records.snapshots.ofRepository(choice.repository)).filter((each) => each.plan === plan);
  const live = all.filter(({ forgottenAt }) => !forgottenAt);
  const sources = Map.groupBy(live, ({ source }) => source);
  for (const [newest, ...before] of sources.values()) {
    const hold = oddityOf(newest!, before);
    if (hold) return { kept: live.length, forgotten: 0, purged: 0, hold };
  }
  const forgotten = decidePlanRetention(live, keep, nowMs).filter(({ reasons }) => reasons.length === 0);
  const ids = forgotten.map(({ snapshot }) => snapshot.id);
  await records.snapshots.moveToTrash(choice.repository, ids, new Date(nowMs + trashMs));
  const purged = all
    .filter(({ trashUntil }) => trashUntil && trashUntil.getTime() < nowMs)
    .map(({ id }) => id);
  if (purged.length > 0) await forgetSnapshots(repository, purged as SnapshotId[], { signal });
  await records.snapshots.remove(choice.repository, purged);
  return { kept: live.length - ids.length, forgotten: ids.length, purged: purged.length };
}
