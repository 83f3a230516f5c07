import type { Repository, StoredSnapshot } from '#repository';
import { type MongoRestoreOptions, type MongoRestoreOutcome, restoreMongoDump } from '#sources';
import { type FinalState, type Problem, stateOf } from './outcome.ts';
import { findHistory } from './stored-history.ts';

export interface RestoreDatabaseRequest extends Omit<MongoRestoreOptions, 'slices' | 'onProblem' | 'signal'> {
  repository: Repository;
  snapshot: StoredSnapshot;
  onProblem?: (problem: Problem) => void;
  signal?: AbortSignal;
}

export interface RestoreDatabaseOutcome extends MongoRestoreOutcome {
  state: FinalState;
  problems: Problem[];
  /** What the backup itself had lost or found strange; it was so in the snapshot. */
  inherited: number;
}

/**
 * Restores the dump of a snapshot into a deployment and compares it there with the manifest; with a time, or from a
 * slice of the oplog, replays the oplog up to there.
 * @throws SourceError 'sources.absent' when the snapshot has no dump; 'sources.target' rather than overwrite; 'sources.oplog-gap' when the time is not covered
 */
export async function restoreDatabase(request: RestoreDatabaseRequest): Promise<RestoreDatabaseOutcome> {
  const { repository, snapshot, ...options } = request;
  await using lock = await repository.lock({ exclusive: false, signal: request.signal });
  const { until: wished } = options;
  const { signal } = lock;
  const { dump, slices, until } = await findHistory({ repository, snapshot, until: wished, signal });
  const problems: Problem[] = [];
  const counts = await restoreMongoDump(dump.manifest, dump.open, {
    ...options,
    slices,
    until,
    onProblem(problem) {
      problems.push(problem);
      request.onProblem?.(problem);
    },
    signal,
  });
  return { ...counts, problems, state: stateOf(problems), inherited: dump.manifest.problems.length };
}
