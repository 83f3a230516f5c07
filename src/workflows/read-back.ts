import type { Repository, StoredSnapshot } from '#repository';
import { type ReadBackCounts, readDumpBack } from '#sources';
import { type FinalState, type Problem, stateOf } from './outcome.ts';
import { findDump } from './stored-dump.ts';

export interface ReadBackRequest {
  repository: Repository;
  snapshot: StoredSnapshot;
  onProblem?: (problem: Problem) => void;
  /** Plain bytes that were parsed and hashed. */
  onBytes?: (count: number) => void;
  signal?: AbortSignal;
}

export interface ReadBackOutcome extends ReadBackCounts {
  state: FinalState;
  problems: Problem[];
}

/**
 * Reads the data inside a snapshot again from the repository, parses it, and compares it with its manifest.
 * @returns undefined when the snapshot has no data that can be parsed
 */
export async function readBack(request: ReadBackRequest): Promise<ReadBackOutcome | undefined> {
  const { repository, snapshot, onBytes } = request;
  await using lock = await repository.lock({ exclusive: false, signal: request.signal });
  const dump = await findDump(repository, snapshot, lock.signal);
  if (!dump) return undefined;
  const problems: Problem[] = [];
  const counts = await readDumpBack(dump.manifest, dump.open, {
    onProblem(problem) {
      problems.push(problem);
      request.onProblem?.(problem);
    },
    onBytes,
    signal: lock.signal,
  });
  return { ...counts, problems, state: stateOf(problems) };
}
