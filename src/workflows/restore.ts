import type { FileAttributes } from '#base';
import {
  type Repository,
  type RestoreFile,
  restoreFiles,
  type StoredSnapshot,
  type TreeNode,
} from '#repository';
import { FolderTarget, type OverwritePolicy, type TargetSummary } from '#sources';
import { type FinalState, type Problem, stateOf } from './outcome.ts';

export interface RestoreRequest {
  repository: Repository;
  snapshot: StoredSnapshot;
  /** A path inside the snapshot: only what is at and below it; a folder's content then lies right in the target. */
  path?: string;
  target: string;
  overwrite?: OverwritePolicy;
  /** Decides by path (from the snapshot's root, `/a/b`) what is restored; a folder that is refused is not entered. */
  isWanted?: (path: string, type: FileAttributes['type']) => 'yes' | 'no' | 'below';
  isSparse?: boolean;
  owners?: boolean;
  onProgress?: (progress: RestoreProgress) => void;
  onProblem?: (problem: Problem) => void;
  signal?: AbortSignal;
}

export interface RestoreProgress {
  filesTotal: number;
  bytesTotal: number;
  filesDone: number;
  bytesDone: number;
}

export interface RestoreOutcome {
  state: FinalState;
  problems: Problem[];
  summary: TargetSummary;
  progress: RestoreProgress;
}

interface Entry {
  /** Names from the target's root. */
  names: readonly Uint8Array[];
  /** For people and patterns: the path in the snapshot. */
  path: string;
  node: TreeNode;
}

/** Restores a snapshot, or a part of one, into a folder. Rejects when nothing at all could be restored. */
export async function restore(request: RestoreRequest): Promise<RestoreOutcome> {
  const { repository, snapshot, signal } = request;
  await using lock = await repository.lock({ exclusive: false, signal });
  const problems: Problem[] = [];
  const note = (problem: Problem): void => {
    problems.push(problem);
    request.onProblem?.(problem);
  };
  const progress: RestoreProgress = { filesTotal: 0, bytesTotal: 0, filesDone: 0, bytesDone: 0 };
  request.onProgress?.(progress);
  const { entries, treeId } = await startOf(request);
  const target = new FolderTarget({
    path: request.target,
    resumeKey: `${snapshot.id}:${request.path ?? ''}`,
    overwrite: request.overwrite,
    isSparse: request.isSparse,
    owners: request.owners,
    onProblem: note,
  });
  try {
    for await (const { node } of walk(request, entries, treeId, note)) {
      if (node.type !== 'file') continue;
      progress.filesTotal++;
      progress.bytesTotal += node.sizeBytes;
    }
    target.begin({ sizeBytes: progress.bytesTotal });
    const files = restoredFiles({ request, entries, treeId, target, progress, note });
    await restoreFiles(repository, files, {
      onBytes: (count) => {
        progress.bytesDone += count;
      },
      signal: lock.signal,
    });
    const summary = await target.end();
    return { state: stateOf(problems), problems, summary, progress };
  } finally {
    target.close();
  }
}

interface Run {
  request: RestoreRequest;
  entries: TreeNode[] | undefined;
  treeId: TreeNode['subtree'];
  target: FolderTarget;
  progress: RestoreProgress;
  note(problem: Problem): void;
}

/** Makes folders, links and devices as the walk meets them, and yields the files that need content. */
async function* restoredFiles(run: Run): AsyncGenerator<RestoreFile> {
  const { request, target, progress, note } = run;
  const closed = new Set<string>();
  for await (const { names, path, node } of walk(request, run.entries, run.treeId, note, closed)) {
    if (node.type === 'dir') {
      if (!target.makeDirectory(names, node)) closed.add(path);
    } else if (node.type !== 'file') {
      target.makeNode(names, node);
    } else {
      const file = target.openFile(names, node);
      if (!file) {
        progress.filesDone++;
        continue;
      }
      if (file.state === 'same') {
        progress.filesDone++;
        progress.bytesDone += node.sizeBytes;
        file.keep(node.sizeBytes);
        file.finish();
        continue;
      }
      yield {
        node,
        sink: {
          write: (offset, bytes) => file.write(offset, bytes),
          finish: () => {
            file.finish();
            progress.filesDone++;
          },
          fail: (error) => {
            file.abandon();
            note({ path, error, gravity: 'lost' });
          },
        },
      };
    }
  }
}

/** Where the restore begins: a tree, or a single file. */
async function startOf(
  request: RestoreRequest,
): Promise<{ entries: TreeNode[] | undefined; treeId: TreeNode['subtree'] }> {
  const { repository, snapshot } = request;
  const node = request.path ? await repository.findNode(snapshot, request.path) : undefined;
  if (!node) return { entries: undefined, treeId: snapshot.tree };
  return node.type === 'dir'
    ? { entries: undefined, treeId: node.subtree }
    : { entries: [node], treeId: undefined };
}

/** Entries in order, folders before what is in them. A folder that cannot be read is a problem, and passed over. */
async function* walk(
  request: RestoreRequest,
  entries: TreeNode[] | undefined,
  treeId: TreeNode['subtree'],
  note: (problem: Problem) => void,
  closed?: ReadonlySet<string>,
): AsyncGenerator<Entry> {
  const base = request.path?.replace(/\/+$/, '') ?? '';
  const stack: { nodes: Iterator<TreeNode>; names: readonly Uint8Array[]; path: string }[] = [];
  const push = async (id: TreeNode['subtree'], names: readonly Uint8Array[], path: string): Promise<void> => {
    try {
      const nodes = await request.repository.readTree(id!, request.signal);
      stack.push({ nodes: nodes.values(), names, path });
    } catch (error) {
      request.signal?.throwIfAborted();
      // Told once: the first walk only counts.
      if (closed) note({ path: path || '/', error: error as Error, gravity: 'lost' });
    }
  };
  if (entries) stack.push({ nodes: entries.values(), names: [], path: base.slice(0, base.lastIndexOf('/')) });
  else await push(treeId, [], base);
  for (let top = stack.at(-1); top; top = stack.at(-1)) {
    const next = top.nodes.next();
    if (next.done) {
      stack.pop();
      continue;
    }
    const node = next.value;
    const entry = {
      names: [...top.names, node.name],
      path: `${top.path}/${Buffer.from(node.name).toString()}`,
      node,
    };
    const wanted = request.isWanted?.(entry.path, node.type) ?? 'yes';
    if (wanted === 'no') continue;
    yield entry;
    if (node.type === 'dir' && !closed?.has(entry.path)) await push(node.subtree, entry.names, entry.path);
  }
}
