import type { Repository, StoredSnapshot } from '#repository';
import { type DumpManifest, readDumpBack, readSliceBack } from '#sources';
import { type FinalState, type Problem, stateOf } from './outcome.ts';
import { findDump, findSlice } from './stored-dump.ts';

export interface ReadBackRequest {
  repository: Repository;
  snapshot: StoredSnapshot;
  /** The snapshot before, to tell how many collections have not changed since. */
  parent?: StoredSnapshot | undefined;
  onProblem?: (problem: Problem) => void;
  /** Plain bytes that were parsed and hashed. */
  onBytes?: (count: number) => void;
  signal?: AbortSignal;
}

type ReadBackCounts = Awaited<ReturnType<typeof readDumpBack>>;

export interface ReadBackOutcome extends ReadBackCounts {
  state: FinalState;
  problems: Problem[];
  /** Whether a dump is one point in time. */
  consistency?: DumpManifest['consistency'];
  /** Collections whose count, bytes and hash are those of the parent's: they cost no storage. */
  unchanged?: number;
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
  const before = dump && (await manifestBefore(request, lock.signal));
  const unchanged = before ? { unchanged: countUnchanged(dump.manifest, before) } : {};
  const { consistency } = dump?.manifest ?? {};
  return {
    ...counts,
    ...unchanged,
    ...(consistency ? { consistency } : {}),
    problems,
    state: stateOf(problems),
  };
}

/** A parent that is damaged is no fault of this snapshot: then nothing is known of what changed. */
async function manifestBefore(
  { repository, parent }: ReadBackRequest,
  signal: AbortSignal,
): Promise<DumpManifest | undefined> {
  try {
    return parent && (await findDump(repository, parent, signal))?.manifest;
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

function countUnchanged({ collections }: DumpManifest, before: DumpManifest): number {
  const contentOf = ({ content }: DumpManifest['collections'][number]): string => JSON.stringify(content);
  const held = new Map(
    before.collections.map((one) => [JSON.stringify([one.database, one.name]), contentOf(one)]),
  );
  return collections.filter(
    (one) => one.content && held.get(JSON.stringify([one.database, one.name])) === contentOf(one),
  ).length;
}
