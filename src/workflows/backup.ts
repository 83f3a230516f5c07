import type {
  Repository,
  StoredCounts,
  StoredSnapshot,
  WriteProgress,
  WriteSnapshotOptions,
  WrittenSnapshot,
} from '#repository';
import { keepImmutable, writeSnapshot } from '#repository';
import type { Source, SourceEvent } from '#sources';
import { makeRoom, type RoomMade, type WhenFull } from './make-room.ts';
import { type FinalState, type Problem, stateOf } from './outcome.ts';
import { assertRoom, isFull, type RepositoryUse, repositoryUse } from './quota.ts';

export interface BackupRequest
  extends Omit<
    WriteSnapshotOptions,
    'paths' | 'streamConcurrency' | 'lateTags' | 'lostCount' | 'onProblem' | 'onStart' | 'signal'
  > {
  repository: Repository;
  source: Source;
  /** What the repository may take at most; when it does already, nothing is begun … */
  quotaBytes?: number;
  /** … unless there are snapshots that may be forgotten for it. */
  whenFull?: WhenFull;
  onMakingRoom?: () => void;
  onRoomMade?: (room: RoomMade) => void;
  onStart?: (live: {
    progress: WriteProgress;
    counts: StoredCounts;
    parent: StoredSnapshot | undefined;
  }) => void;
  onProblem?: (problem: Problem) => void;
  signal?: AbortSignal;
}

export interface BackupOutcome extends WrittenSnapshot {
  /** Nobody can delete the snapshot before, where the repository has such a rule. */
  immutableUntil?: Date;
  /** What the repository took when writing began, where a quota was given. */
  use?: RepositoryUse;
  state: FinalState;
  problems: Problem[];
}

/**
 * Backs a source up into a repository: one snapshot. Rejects when no snapshot could be written; what could not be
 * read of the source makes the state *partial* or *warning*.
 * @throws RepositoryError 'repository.quota' before anything is read
 */
export async function backup(request: BackupRequest): Promise<BackupOutcome> {
  const {
    repository,
    source,
    onStart,
    onProblem,
    signal = new AbortController().signal,
    ...options
  } = request;
  const problems: Problem[] = [];
  const note = (problem: Problem): void => {
    problems.push(problem);
    onProblem?.(problem);
  };
  const use = await roomFor(request, signal);
  const written = await writeSnapshot(
    repository,
    {
      ...options,
      paths: source.paths,
      streamConcurrency: source.streamConcurrency,
      lateTags: () => source.lateTags?.() ?? [],
      signal,
      onProblem: note,
      lostCount: () => problems.filter(({ gravity }) => gravity === 'lost').length,
      onStart: (progress, counts, parent) => onStart?.({ progress, counts, parent }),
    },
    async (writer) => {
      for await (const event of source.read(signal)) await apply(writer, event, note);
    },
  );
  const immutableUntil = await locked(request, written, note);
  return {
    ...written,
    problems,
    state: stateOf(problems),
    ...(immutableUntil && { immutableUntil }),
    ...(use && { use }),
  };
}

/** Makes sure that there is room, where a quota was given. @throws RepositoryError 'repository.quota' */
async function roomFor(request: BackupRequest, signal: AbortSignal): Promise<RepositoryUse | undefined> {
  const { repository, quotaBytes, whenFull, dryRun } = request;
  if (quotaBytes === undefined) return undefined;
  let use = await repositoryUse(repository, { quotaBytes, signal });
  if (whenFull && isFull(use) && !dryRun) {
    request.onMakingRoom?.();
    const room = await makeRoom(repository, { ...whenFull, quotaBytes, use, signal });
    request.onRoomMade?.(room);
    use = room.after;
  }
  assertRoom(use);
  return use;
}

/** Before the snapshot is reported it is locked. A snapshot that is not is there all the same: *warning*. */
async function locked(
  request: BackupRequest,
  { snapshot, parent }: WrittenSnapshot,
  note: (problem: Problem) => void,
): Promise<Date | undefined> {
  if (!snapshot) return undefined;
  const { repository, signal } = request;
  const noteOdd = (path: string, error: Error): void => note({ path, error, gravity: 'odd' });
  const path = `snapshot ${snapshot.id.slice(0, 8)}`;
  try {
    const kept = await keepImmutable(repository, { snapshot, before: parent }, { signal });
    if (kept.fault) noteOdd(path, new Error(ruleFaults[kept.fault]));
    return kept.until;
  } catch (error) {
    signal?.throwIfAborted();
    noteOdd(path, asError(error));
    return undefined;
  }
}

const ruleFaults = {
  tampered:
    'the file of the lock rule was hidden or written over by somebody with the key of the storage; it was put back and heeded. See `holdfast check --as-of`',
  lost: 'it is not locked, and the one before it is: the lock rule is gone. Set it again with `holdfast lock`, and find out who has the key of the storage',
};

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

type Writer = Parameters<Parameters<typeof writeSnapshot>[2]>[0];

async function apply(writer: Writer, event: SourceEvent, note: (problem: Problem) => void): Promise<void> {
  if (event.kind === 'problem') return note(event.problem);
  if (event.kind === 'leave') return writer.leaveFolder();
  const name = event.path.at(-1)!;
  if (event.attributes.type === 'dir') return writer.enterFolder(name, event.attributes);
  if (event.attributes.type === 'file') return writer.addFile(name, event.attributes, event.content!);
  writer.addNode(name, event.attributes);
}
