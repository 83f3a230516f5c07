import type {
  Repository,
  StoredCounts,
  StoredSnapshot,
  WriteProgress,
  WriteSnapshotOptions,
  WrittenSnapshot,
} from '#repository';
import { writeSnapshot } from '#repository';
import type { Source, SourceEvent } from '#sources';
import { type FinalState, type Problem, stateOf } from './outcome.ts';

export interface BackupRequest
  extends Omit<WriteSnapshotOptions, 'paths' | 'streamConcurrency' | 'onProblem' | 'onStart' | 'signal'> {
  repository: Repository;
  source: Source;
  onStart?: (live: {
    progress: WriteProgress;
    counts: StoredCounts;
    parent: StoredSnapshot | undefined;
  }) => void;
  onProblem?: (problem: Problem) => void;
  signal?: AbortSignal;
}

export interface BackupOutcome extends WrittenSnapshot {
  state: FinalState;
  problems: Problem[];
}

/**
 * Backs a source up into a repository: one snapshot. Rejects when no snapshot could be written; what could not be
 * read of the source makes the state *partial* or *warning*.
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
  const written = await writeSnapshot(
    repository,
    {
      ...options,
      paths: source.paths,
      streamConcurrency: source.streamConcurrency,
      signal,
      onProblem: note,
      onStart: (progress, counts, parent) => onStart?.({ progress, counts, parent }),
    },
    async (writer) => {
      for await (const event of source.read(signal)) await apply(writer, event, note);
    },
  );
  return { ...written, problems, state: stateOf(problems) };
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
