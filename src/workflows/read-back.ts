import type { Repository, StoredSnapshot } from '#repository';
import { readDumpBack, readSliceBack } from '#sources';
import { type FinalState, type Problem, stateOf } from './outcome.ts';
import { findDump, findSlice } from './stored-dump.ts';

export interface ReadBackRequest {
  repository: Repository;
  snapshot: StoredSnapshot;
  onProblem?: (problem: Problem) => void;
  /** Plain bytes that were parsed and hashed. */
  onBytes?: (count: number) => void;
  signal?: AbortSignal;
}

type ReadBackCounts = Awaited<ReturnType<typeof readDumpBack>>;

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
  const slice = await findSlice(repository, snapshot, lock.signal);
  const problems: Problem[] = [];
  const options = {
    onProblem(problem: Problem) {
      problems.push(problem);
      request.onProblem?.(problem);
    },
    onBytes,
    signal: lock.signal,
  };
  let counts: ReadBackCounts;
  if (dump) counts = await readDumpBack(dump.manifest, dump.open, options);
  else if (slice) counts = await readSliceBack(slice.manifest, slice.open, options);
  else return undefined;
  return { ...counts, problems, state: stateOf(problems) };
}
