import type { JobExecution } from '#jobs';
import type { PartResult } from './part-result.ts';
import { type Proof, recordProof } from './proof-record.ts';
import type { Records } from './records.ts';

/** Writes what a job made into the catalog. Only now are the snapshots this job's: who was taken for lost records nothing. */
export async function recordParts(
  { execution, records, plan }: { execution: JobExecution; records: Records; plan: string },
  parts: readonly PartResult[],
): Promise<void> {
  await execution.assertHeld();
  for (const part of parts) await recordPart(records, { part, plan, jobId: execution.job.id });
}

async function recordPart(
  records: Records,
  { part, plan, jobId }: { part: PartResult; plan: string; jobId: string },
): Promise<void> {
  const { snapshots } = records;
  const { repository, source, takenAt, snapshotId: id, readBackAt } = part;
  if (!id || !takenAt) return;
  const { addedBytes, processedBytes, itemCount, hostname, paths } = part;
  const state = part.snapshotState ?? part.state;
  const facts = { state, addedBytes, processedBytes, itemCount, hostname, paths };
  await snapshots.save([{ repository, id, plan, source, jobId, takenAt: new Date(takenAt), facts }]);
  await snapshots.addBadge({ repository, id }, { rung: 'stored', state: 'proven', at: takenAt, jobId });
  if (!readBackAt) return;
  const proof: Proof = {
    rung: 'read-back',
    state: part.isReadBack ? 'proven' : 'failed',
    at: new Date(readBackAt),
    jobId,
    comparisons: [],
  };
  await recordProof(records, proof, [{ repository, id, plan, source }]);
}
