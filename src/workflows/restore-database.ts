import type { Repository, StoredSnapshot } from '#repository';
import { type MongoRestoreOptions, type RestoredCounts, restoreMongoDump } from '#sources';
import { noDumpIn } from './dump-archive.ts';
import { type FinalState, type Problem, stateOf } from './outcome.ts';
import { findDump } from './stored-dump.ts';

export interface RestoreDatabaseRequest extends Omit<MongoRestoreOptions, 'onProblem' | 'signal'> {
  repository: Repository;
  snapshot: StoredSnapshot;
  onProblem?: (problem: Problem) => void;
  signal?: AbortSignal;
}

export interface RestoreDatabaseOutcome extends RestoredCounts {
  state: FinalState;
  problems: Problem[];
  /** What the backup itself had lost or found strange; it was so in the snapshot. */
  inherited: number;
}

/**
 * Restores the dump of a snapshot into a deployment and compares it there with the manifest.
 * @throws SourceError 'sources.absent' when the snapshot has no dump; 'sources.target' rather than overwrite
 */
export async function restoreDatabase(request: RestoreDatabaseRequest): Promise<RestoreDatabaseOutcome> {
  const { repository, snapshot, ...options } = request;
  await using lock = await repository.lock({ exclusive: false, signal: request.signal });
  const dump = await findDump(repository, snapshot, lock.signal);
  if (!dump) throw noDumpIn(snapshot);
  const problems: Problem[] = [];
  const counts = await restoreMongoDump(dump.manifest, dump.open, {
    ...options,
    onProblem(problem) {
      problems.push(problem);
      request.onProblem?.(problem);
    },
    signal: lock.signal,
  });
  return { ...counts, problems, state: stateOf(problems), inherited: dump.manifest.problems.length };
}
