import { printableOf } from '#base';
import { RepositoryError } from '../errors.ts';
import type { BlobId } from '../format/ids.ts';
import type { Repository } from '../repository.ts';
import type { StoredSnapshot } from '../snapshot/snapshot.ts';
import type { TreeNode } from '../snapshot/tree.ts';
import { TreesAhead } from './trees-ahead.ts';

export interface WalkEntry {
  /** For people: from the snapshot's root, `/a/b`; bytes that are not UTF-8 stand as `\xNN`. */
  path: string;
  /** The same path as bytes, name by name. */
  names: readonly Uint8Array[];
  node: TreeNode;
}

/** A folder whose tree cannot be read, or an entry of a type that this program does not know. It is passed over. */
export interface DamagedFolder {
  path: string;
  tree: BlobId;
  error: RepositoryError;
}

export interface WalkOptions {
  /** Begin at this path: the content of a folder, or the one file. */
  path?: string | undefined;
  /** What is not wanted is not yielded, and a folder not entered. Asked for all entries of a folder when it is entered. */
  isWanted?: (entry: WalkEntry) => boolean;
  /** Asked when a folder was yielded and handled: whether to go into it. */
  isEntered?: (entry: WalkEntry) => boolean;
  /** Goes on without a folder that cannot be read. Without it, the first one is an error. */
  onDamaged?: (folder: DamagedFolder) => void;
  signal?: AbortSignal | undefined;
}

/** Entries that are looked through for the next folders: a folder may hold a million files. */
const lookMax = 1024;

interface OpenFolder {
  entries: readonly WalkEntry[];
  at: number;
}

/**
 * All entries of a snapshot in order of their names' bytes, each folder before what is in it.
 * @throws RepositoryError 'repository.path-not-found', 'repository.damaged'
 */
export async function* walkSnapshot(
  repository: Repository,
  snapshot: StoredSnapshot,
  options: WalkOptions = {},
): AsyncGenerator<WalkEntry> {
  const trees = new TreesAhead(repository, options.signal);
  const base = cleanPath(options.path ?? '');
  const start = await repository.findEntry(snapshot, base, options.signal);
  const open: OpenFolder[] = [];
  const enter = async (tree: BlobId, path: string, names: readonly Uint8Array[]): Promise<void> => {
    const nodes = await readFolder(trees, { tree, path }, options);
    open.push({ entries: entriesOf(nodes, { path, names }, options), at: 0 });
  };
  if (!start) await enter(snapshot.tree, '', []);
  else if (start.node.subtree) await enter(start.node.subtree, base, start.names);
  else open.push({ entries: [{ path: base, ...start }], at: 0 });
  for (let top = open.at(-1); top; top = open.at(-1)) {
    options.signal?.throwIfAborted();
    const entry = top.entries[top.at++];
    if (!entry) {
      open.pop();
      continue;
    }
    yield entry;
    const { subtree } = entry.node;
    if (!subtree) continue;
    if (options.isEntered?.(entry) === false) {
      trees.forget(subtree);
      continue;
    }
    trees.expect(upcoming(open, entry));
    await enter(subtree, entry.path, entry.names);
  }
}

/** `/a/b` however it was written; the root is empty. */
function cleanPath(path: string): string {
  return path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .map((part) => `/${part}`)
    .join('');
}

async function readFolder(
  trees: TreesAhead,
  { tree, path }: { tree: BlobId; path: string },
  { onDamaged, signal }: WalkOptions,
): Promise<TreeNode[]> {
  try {
    const { nodes, unknown } = await trees.read(tree);
    for (const { name, type } of unknown)
      tellUnknown({ path: `${path}/${printableOf(name)}`, type, tree }, onDamaged);
    return nodes;
  } catch (error) {
    if (signal?.aborted || !onDamaged) throw error;
    onDamaged({ path: path || '/', tree, error: error as RepositoryError });
    return [];
  }
}

/** It may be something that a newer program saves; it must not be missing silently. */
function tellUnknown(
  { path, type, tree }: { path: string; type: string; tree: BlobId },
  onDamaged: WalkOptions['onDamaged'],
): void {
  const error = new RepositoryError('repository.version', `an entry of the unknown type '${type}'`, {
    hint: 'A newer program wrote it. Update Holdfast, or use that program.',
    context: { path },
  });
  if (!onDamaged) throw error;
  onDamaged({ path, tree, error });
}

function entriesOf(
  nodes: readonly TreeNode[],
  { path, names }: { path: string; names: readonly Uint8Array[] },
  { isWanted }: WalkOptions,
): WalkEntry[] {
  const entries = nodes.map((node) => ({
    path: `${path}/${printableOf(node.name)}`,
    names: [...names, node.name],
    node,
  }));
  return isWanted ? entries.filter(isWanted) : entries;
}

/** The trees that will be read next, soonest first, as far as a short look reaches. */
function* upcoming(open: readonly OpenFolder[], now: WalkEntry): Generator<BlobId> {
  yield now.node.subtree!;
  let looked = 0;
  for (let depth = open.length - 1; depth >= 0; depth--) {
    const { entries, at } = open[depth]!;
    for (let i = at; i < entries.length && looked < lookMax; i++, looked++) {
      const { subtree } = entries[i]!.node;
      if (subtree) yield subtree;
    }
  }
}
