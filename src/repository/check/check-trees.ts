import { messageOf } from '#base';
import { sealOverheadBytes } from '../crypto/blob-codec.ts';
import type { BlobId } from '../format/ids.ts';
import { idWordsOfHex } from '../index/blob-table.ts';
import type { RepositoryIndex } from '../index/repository-index.ts';
import { SlotSet } from '../index/slot-set.ts';
import type { Repository } from '../repository.ts';
import type { StoredSnapshot } from '../snapshot/snapshot.ts';
import { isSafeName, type TreeNode } from '../snapshot/tree.ts';
import type { Finding } from './finding.ts';

/** Folders that are read at once: the storage's latency overlaps. */
const readersMax = 8;

export interface TreeCheckProgress {
  snapshotsDone: number;
  treesDone: number;
}

/**
 * Walks every folder of every snapshot once: each tree opens to its id, each entry is valid, each blob is in the
 * index, and (what restic does not look at) the blobs of a file add up to its size.
 */
export async function checkTrees(
  repository: Repository,
  index: RepositoryIndex,
  snapshots: readonly StoredSnapshot[],
  report: (finding: Finding) => void,
  progress: TreeCheckProgress,
  signal?: AbortSignal,
): Promise<void> {
  const seen = new SlotSet(index.table.slots);
  for (const snapshot of snapshots) {
    const queue: { id: BlobId; path: string }[] = [{ id: snapshot.tree, path: '/' }];
    const work = async (): Promise<void> => {
      for (let next = queue.pop(); next; next = queue.pop()) {
        signal?.throwIfAborted();
        const slot = index.table.slot('tree', idWordsOfHex(next.id));
        if (slot >= 0 && !seen.add(slot)) continue;
        const found = await checkTree(repository, index, { ...next, snapshot: snapshot.id }, report);
        progress.treesDone++;
        queue.push(...found);
      }
    };
    // Readers end when the queue is empty for the moment; a last one finishes what others have queued meanwhile.
    do await Promise.all(Array.from({ length: Math.min(readersMax, Math.max(1, queue.length)) }, work));
    while (queue.length > 0);
    progress.snapshotsDone++;
  }
}

async function checkTree(
  repository: Repository,
  index: RepositoryIndex,
  at: { id: BlobId; path: string; snapshot: string },
  report: (finding: Finding) => void,
): Promise<{ id: BlobId; path: string }[]> {
  const place = { snapshot: at.snapshot, path: at.path };
  let nodes: TreeNode[];
  try {
    nodes = await repository.readTree(at.id);
  } catch (error) {
    report({
      gravity: 'error',
      code: 'tree-damaged',
      ...place,
      blob: at.id,
      message: `folder ${at.path}: ${messageOf(error)}`,
    });
    return [];
  }
  const folders: { id: BlobId; path: string }[] = [];
  for (const node of nodes) {
    const path = `${at.path === '/' ? '' : at.path}/${Buffer.from(node.name).toString()}`;
    checkNode(index, node, { snapshot: at.snapshot, path }, report);
    if (node.type === 'dir' && node.subtree) folders.push({ id: node.subtree, path });
  }
  return folders;
}

function checkNode(
  index: RepositoryIndex,
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
    const blob = index.places('data', id)[0];
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
