import { createHash } from 'node:crypto';
import { patternTextOf } from '#base';
import { type Repository, type StoredSnapshot, type TreeNode, walkSnapshot } from '#repository';
import type { NeededRoom } from '#sources';
import type { Problem } from './outcome.ts';
import type { IsWanted } from './restore-filter.ts';

/** What of a snapshot is restored. */
export interface RestoreSelection {
  repository: Repository;
  snapshot: StoredSnapshot;
  /** A path inside the snapshot: only what is at and below it; a folder's content then lies right in the target. */
  path?: string;
  /** Decides what is restored; see `restoreFilter`. */
  isWanted?: IsWanted;
  signal?: AbortSignal;
}

export interface RestoreEntry {
  /** Names from the target's root. */
  names: readonly Uint8Array[];
  /** For people: the path in the snapshot. */
  path: string;
  node: TreeNode;
}

export interface EntriesOptions {
  /** Folders that were told and could not be made: nothing below them is told. The caller adds to it. */
  closed?: Set<TreeNode>;
  /** Folders that cannot be read are told here, and passed over. */
  note?: (problem: Problem) => void;
}

/** What is wanted, in order, each folder before what is in it. A folder on the way comes when something in it does. */
export async function* wantedEntries(
  selection: RestoreSelection,
  { closed = new Set(), note }: EntriesOptions = {},
): AsyncGenerator<RestoreEntry> {
  const { isWanted, signal } = selection;
  const upperCount = await depthOfStart(selection);
  /** Folders that are only on the way; of the branch that is walked, those that were not told yet. */
  const onTheWay = new Set<TreeNode>();
  const waiting: RestoreEntry[] = [];
  let closedDepth = Number.POSITIVE_INFINITY;
  const entries = walkSnapshot(selection.repository, selection.snapshot, {
    path: selection.path,
    signal,
    ...(isWanted && {
      isWanted: ({ names, node }) => {
        const verdict = isWanted(`/${names.map(patternTextOf).join('/')}`, node.type);
        if (verdict === 'below') onTheWay.add(node);
        return verdict !== 'no';
      },
    }),
    isEntered: ({ names, node }) => names.length <= closedDepth && !closed.has(node),
    onDamaged: ({ path, error }) => note?.({ path, error, gravity: 'lost' }),
  });
  for await (const { names, path, node } of entries) {
    const depth = names.length;
    while (waiting.length > 0 && waiting.at(-1)!.names.length + upperCount >= depth) waiting.pop();
    if (depth <= closedDepth) closedDepth = Number.POSITIVE_INFINITY;
    else continue;
    waiting.push({ names: names.slice(upperCount), path, node });
    if (onTheWay.delete(node)) continue;
    for (const entry of waiting.splice(0)) {
      yield entry;
      if (!closed.has(entry.node)) continue;
      closedDepth = entry.names.length + upperCount;
      break;
    }
  }
}

/** How many names of the snapshot's paths are above the target's root. */
async function depthOfStart({ repository, snapshot, path = '', signal }: RestoreSelection): Promise<number> {
  const start = await repository.findEntry(snapshot, path, signal);
  if (!start) return 0;
  return start.node.type === 'dir' ? start.names.length : start.names.length - 1;
}

export interface RestoreSize {
  files: number;
  /** Bytes of all files; a file with several names counts once. */
  sizeBytes: number;
  needed: NeededRoom & { sizeBytes: number };
}

/** Walks once to know how much there is. */
export async function measure(selection: RestoreSelection, how: { isSparse: boolean }): Promise<RestoreSize> {
  const size: RestoreSize = { files: 0, sizeBytes: 0, needed: { sizeBytes: 0, entries: 0 } };
  const isFirstName = firstNames();
  for await (const { node } of wantedEntries(selection)) {
    if (node.type === 'file') size.files++;
    if (!isFirstName(node)) continue;
    size.needed.entries!++;
    size.sizeBytes += node.sizeBytes;
    size.needed.sizeBytes += node.sizeBytes - (how.isSparse ? holeBytes(node) : 0);
  }
  return size;
}

/** Says of each entry in turn whether it is the first name of its file. */
export function firstNames(): (node: TreeNode) => boolean {
  const seen = new Set<string>();
  return ({ links, inode, deviceId, type }) => {
    if (type === 'dir' || links < 2 || inode === 0n) return true;
    const key = `${deviceId}:${inode}`;
    return !seen.has(key) && seen.add(key) !== undefined;
  };
}

/** The smallest chunk, in which every chunker of restic's format cuts a run of zeros. */
const zeroChunkBytes = 512 * 1024;
const zeroChunkId = createHash('sha256').update(Buffer.alloc(zeroChunkBytes)).digest('hex');

function holeBytes({ content }: TreeNode): number {
  return (content ?? []).filter((id) => id === zeroChunkId).length * zeroChunkBytes;
}
