import { messageOf } from '#base';
import { StorageError } from '#storage';
import { sealOverheadBytes } from '../crypto/blob-codec.ts';
import { forEachAtOnce } from '../for-each-at-once.ts';
import type { BlobId } from '../format/ids.ts';
import { type BlobLocation, idWordsOfHex } from '../index/blob-table.ts';
import type { RepositoryIndex } from '../index/repository-index.ts';
import { SlotSet } from '../index/slot-set.ts';
import type { BlobReader } from '../read/blob-reader.ts';
import type { StoredSnapshot } from '../snapshot/snapshot.ts';
import { isSafeName, type TreeNode } from '../snapshot/tree.ts';
import type { Finding } from './finding.ts';

/** Folders that are read at once: the storage's latency overlaps. */
const readersMax = 8;

export interface TreeCheckProgress {
  snapshotsDone: number;
  treesDone: number;
}

/** An index under check, and a reader by it. */
export interface CheckedIndex {
  index: RepositoryIndex;
  reader: BlobReader;
  goneMarked: ReadonlySet<number>;
}

/**
 * Walks every folder of every snapshot once: each tree opens to its id, each entry is valid, each blob is in the
 * index, and (what restic does not look at) the blobs of a file add up to its size.
 */
export async function checkTrees(
  { index, reader, goneMarked }: CheckedIndex,
  snapshots: readonly StoredSnapshot[],
  report: (finding: Finding) => void,
  progress: TreeCheckProgress,
  signal?: AbortSignal,
): Promise<void> {
  const isGone = ({ pack }: BlobLocation): boolean => goneMarked.has(pack);
  const seen = new SlotSet(index.table.slots);
  for (const snapshot of snapshots) {
    const queue: { id: BlobId; path: string }[] = [{ id: snapshot.tree, path: '/' }];
    while (queue.length > 0) {
      await forEachAtOnce(queue.splice(-readersMax), readersMax, async (next) => {
        signal?.throwIfAborted();
        const slot = index.table.slot('tree', idWordsOfHex(next.id));
        if (slot >= 0 && !seen.add(slot)) return;
        const place = { snapshot: snapshot.id, path: next.path };
        for (const node of await readTree(reader, { ...next, ...place }, report, signal)) {
          const path = `${next.path === '/' ? '' : next.path}/${Buffer.from(node.name).toString()}`;
          checkNode({ index, isGone }, node, { ...place, path }, report);
          if (node.type === 'dir' && node.subtree) queue.push({ id: node.subtree, path });
        }
        progress.treesDone++;
      });
    }
    progress.snapshotsDone++;
  }
}

async function readTree(
  reader: BlobReader,
  at: { id: BlobId; path: string; snapshot: string },
  report: (finding: Finding) => void,
  signal?: AbortSignal,
): Promise<TreeNode[]> {
  const { id, snapshot, path } = at;
  try {
    const { nodes, unknown } = await reader.readTree(id, signal);
    for (const { name, type } of unknown) {
      const entry = `${path === '/' ? '' : path}/${Buffer.from(name).toString()}`;
      const message = `${entry}: of the unknown type '${type}', which a restore leaves out`;
      report({ gravity: 'error', code: 'node-invalid', snapshot, path: entry, message });
    }
    return nodes;
  } catch (error) {
    signal?.throwIfAborted();
    const code = error instanceof StorageError ? 'unreadable' : 'tree-damaged';
    const message = `folder ${path}: ${messageOf(error)}`;
    report({ gravity: 'error', code, snapshot, path, blob: id, message });
    return [];
  }
}

function checkNode(
  { index, isGone }: { index: RepositoryIndex; isGone: (place: BlobLocation) => boolean },
  node: TreeNode,
  place: { snapshot: string; path: string },
  report: (finding: Finding) => void,
): void {
  const invalid = (message: string): void =>
    report({ gravity: 'error', code: 'node-invalid', ...place, message: `${place.path}: ${message}` });
  if (!isSafeName(node.name)) invalid('the name is not allowed');
  if (node.type === 'dir' && !node.subtree) invalid('a folder without a tree');
  if (node.type !== 'file') return;
  if (!node.content) {
    invalid('a file without a list of content');
    return;
  }
  let sizeBytes = 0;
  for (const id of node.content) {
    const blob = index.places('data', id).find((one) => !isGone(one));
    if (!blob) {
      report({
        gravity: 'error',
        code: 'blob-missing',
        ...place,
        blob: id,
        message: `${place.path}: a part is missing (blob ${id.slice(0, 12)})`,
      });
      return;
    }
    sizeBytes += blob.uncompressedLength || blob.length - sealOverheadBytes;
  }
  if (sizeBytes !== node.sizeBytes) {
    report({
      gravity: 'error',
      code: 'size-differs',
      ...place,
      message: `${place.path}: the file has ${node.sizeBytes} bytes, its parts have ${sizeBytes}`,
    });
  }
}
