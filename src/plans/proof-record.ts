import type { BadgeRecord, SnapshotRecord } from '#catalog';
import type { Evidence } from '#contract';
import type { Records } from './records.ts';

/** What a proof says of snapshots of one repository. */
export interface Proof extends Pick<Evidence, 'rung' | 'state' | 'comparisons' | 'note' | 'restoreSeconds'> {
  at: Date;
  jobId: string;
}

/** Writes a proof down: as a badge on each of the snapshots, and as evidence. @returns ids of the evidence */
export async function recordProof(
  records: Records,
  proof: Proof,
  snapshots: readonly Pick<SnapshotRecord, 'repository' | 'id' | 'plan' | 'source'>[],
): Promise<string[]> {
  const { at, rung, state, jobId, comparisons, restoreSeconds, note } = proof;
  const badge: BadgeRecord = { rung, state, at: at.toISOString(), jobId, ...(note && { note }) };
  await records.snapshots.addBadges(snapshots, badge);
  const ids: string[] = [];
  for (const { repository, id: snapshotId, plan, source } of newestOfEach(snapshots)) {
    const body = {
      rung,
      state,
      snapshotId,
      repository,
      plan,
      source,
      jobId,
      comparisons,
      note,
      restoreSeconds,
    };
    ids.push((await records.evidence.append({ subject: plan, body })).id);
  }
  return ids;
}

/** Thousands of snapshots may share one check; evidence is kept of the newest of each source. */
function newestOfEach<Snapshot extends Pick<SnapshotRecord, 'plan' | 'source'>>(
  newestFirst: readonly Snapshot[],
): Snapshot[] {
  const found = new Map<string, Snapshot>();
  for (const snapshot of newestFirst) {
    const key = JSON.stringify([snapshot.plan, snapshot.source]);
    if (!found.has(key)) found.set(key, snapshot);
  }
  return [...found.values()];
}
