import { hash } from 'node:crypto';
import { type RestoreFile, restoreFiles, type TreeNode } from '#repository';
import {
  FolderTarget,
  type OverwritePolicy,
  SourceError,
  type TargetFile,
  type TargetSummary,
} from '#sources';
import { type FinalState, type Problem, stateOf } from './outcome.ts';
import {
  firstNames,
  measure,
  type RestoreEntry,
  type RestoreSelection,
  wantedEntries,
} from './restore-entries.ts';
import { compareContent, type VerifiedCounts, verifyRestored } from './verify-restored.ts';

export interface RestoreRequest extends RestoreSelection {
  target: string;
  overwrite?: OverwritePolicy;
  isSparse?: boolean;
  owners?: boolean;
  /**
   * Reads every restored file back from the target and compares it with the snapshot. What looks the same already is
   * compared too, and restored again where it differs.
   */
  verify?: boolean;
  onProgress?: (progress: RestoreProgress) => void;
  onProblem?: (problem: Problem) => void;
}

/** Counters that grow while the restore runs. */
export interface RestoreProgress {
  filesTotal: number;
  bytesTotal: number;
  filesDone: number;
  bytesDone: number;
  /** Bytes that an interrupted restore had brought already. */
  bytesResumed: number;
  /** Bytes that were read back. */
  bytesVerified: number;
}

export interface RestoreOutcome {
  state: FinalState;
  problems: Problem[];
  summary: TargetSummary;
  progress: RestoreProgress;
  /** Undefined unless it was asked for. */
  verified: VerifiedCounts | undefined;
}

/**
 * Restores a snapshot, or a part of one, into a folder. Rejects when nothing could be restored, or when it cannot go
 * on (no space); what is written by then stays, and the same restore again completes it.
 */
export async function restore(request: RestoreRequest): Promise<RestoreOutcome> {
  const { repository, snapshot } = request;
  await using lock = await repository.lock({ exclusive: false, signal: request.signal });
  const problems: Problem[] = [];
  const note = (problem: Problem): void => {
    problems.push(problem);
    request.onProblem?.(problem);
  };
  const progress = newProgress();
  request.onProgress?.(progress);
  for (const { id, error } of await repository.damagedIndexFiles())
    note({ path: `index/${id}`, error, gravity: 'odd' });
  const target = new FolderTarget({
    path: request.target,
    resumeKey: `${snapshot.id}:${request.path ?? ''}`,
    overwrite: request.overwrite,
    isSparse: request.isSparse,
    owners: request.owners,
    onProblem: note,
  });
  const stop = new AbortController();
  const signal = AbortSignal.any([lock.signal, stop.signal]);
  const run: Run = { request: { ...request, signal }, target, progress, note, stop };
  try {
    const size = await measure(run.request, { isSparse: request.isSparse ?? false });
    progress.filesTotal = size.files;
    progress.bytesTotal = size.sizeBytes;
    target.begin(size.needed);
    const onBytes = (count: number): void => {
      progress.bytesDone += count;
    };
    await restoreFiles(repository, restoredFiles(run), { onBytes, signal });
    stop.signal.throwIfAborted();
    const verified = request.verify ? await verifyRestored(run) : undefined;
    const summary = await target.end();
    return { state: stateOf(problems), problems, summary, progress, verified };
  } catch (error) {
    throw stop.signal.aborted ? stop.signal.reason : error;
  } finally {
    target.close();
  }
}

/** What the parts of one restore share. */
interface Run {
  request: RestoreRequest;
  target: FolderTarget;
  progress: RestoreProgress;
  note(problem: Problem): void;
  /** Ends the whole restore: the target takes no more. */
  stop: AbortController;
}

function newProgress(): RestoreProgress {
  return { filesTotal: 0, bytesTotal: 0, filesDone: 0, bytesDone: 0, bytesResumed: 0, bytesVerified: 0 };
}

/** Makes folders, links and devices as the walk meets them, and yields the files that need content. */
async function* restoredFiles(run: Run): AsyncGenerator<RestoreFile> {
  const { request, target, progress, note } = run;
  const closed = new Set<TreeNode>();
  const isFirstName = firstNames();
  for await (const entry of wantedEntries(request, { closed, note })) {
    const { names, node } = entry;
    if (node.type === 'dir') {
      if (!target.makeDirectory(names, node)) closed.add(node);
      continue;
    }
    const isFirst = isFirstName(node);
    if (node.type !== 'file') target.makeNode(names, node);
    else {
      const file = await openUnlessSame(run, entry);
      if (file) yield fileToRestore(run, entry, file);
      else {
        progress.filesDone++;
        if (isFirst) progress.bytesDone += node.sizeBytes;
      }
    }
  }
}

/** @returns undefined when the content need not be written: it is there, left by policy, or cannot be */
async function openUnlessSame(run: Run, { names, node }: RestoreEntry): Promise<TargetFile | undefined> {
  const file = run.target.openFile(names, node);
  if (file?.state !== 'same') return file;
  if (run.request.verify && !(await hasSameContent(run, { names, node }))) {
    file.abandon();
    return run.target.openFile(names, node, { overwrite: 'always' });
  }
  file.keep(node.sizeBytes);
  file.finish();
  return undefined;
}

async function hasSameContent({ request, target }: Run, entry: Omit<RestoreEntry, 'path'>): Promise<boolean> {
  try {
    using file = target.openRestored(entry.names);
    await compareContent(request.repository, entry.node, file);
    return true;
  } catch {
    // Whatever is wrong with it, it is restored anew; what is wrong with the snapshot shows then.
    request.signal?.throwIfAborted();
    return false;
  }
}

type Part = Parameters<NonNullable<RestoreFile['isThere']>>[0];

function hasPart(file: TargetFile, { id, offset, length }: Part): boolean {
  return hash('sha256', file.read(offset, length)) === id;
}

function fileToRestore(run: Run, { path, node }: RestoreEntry, file: TargetFile): RestoreFile {
  const { progress, note, stop } = run;
  const isThere = (part: Part): boolean => {
    if (!hasPart(file, part)) return false;
    file.keep(part.length);
    progress.bytesResumed += part.length;
    return true;
  };
  return {
    node,
    ...(file.state === 'partial' && { isThere }),
    sink: {
      write: (offset, bytes) => file.write(offset, bytes),
      finish: () => {
        file.finish();
        progress.filesDone++;
      },
      fail: (error) => {
        file.abandon();
        // What concerns the whole target, such as a full disk, would fail every other file too.
        if (error instanceof SourceError) stop.abort(error);
        else note({ path, error, gravity: 'lost' });
      },
    },
  };
}
