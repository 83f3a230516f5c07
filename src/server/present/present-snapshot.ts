import type { SnapshotRecord } from '#catalog';
import type { Badge, Snapshot } from '#contract';
import { compact, iso } from './present-job.ts';

const rungs = ['stored', 'checked', 'verified', 'read-back', 'drilled'];

export function presentSnapshot(record: SnapshotRecord): Snapshot {
  const facts = record.facts as Partial<
    Pick<Snapshot, 'hostname' | 'paths' | 'tags' | 'state' | 'processedBytes' | 'addedBytes' | 'itemCount'>
  >;
  return compact({
    id: record.id,
    repository: record.repository,
    takenAt: record.takenAt.toISOString(),
    name: record.source,
    plan: record.plan,
    jobId: record.jobId,
    hostname: facts.hostname ?? '',
    paths: facts.paths ?? [],
    tags: facts.tags ?? [],
    state: facts.state,
    processedBytes: facts.processedBytes,
    addedBytes: facts.addedBytes,
    itemCount: facts.itemCount,
    badges: record.badges.toSorted(
      (one, other) => rungs.indexOf(one.rung) - rungs.indexOf(other.rung),
    ) as Badge[],
    pins: record.pins,
    forgottenAt: iso(record.forgottenAt),
    trashUntil: iso(record.trashUntil),
  }) as Snapshot;
}
