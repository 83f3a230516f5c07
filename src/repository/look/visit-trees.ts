import { RepositoryError } from '../errors.ts';
import type { BlobId } from '../format/ids.ts';
import { type BlobType, idWordsOfHex } from '../index/blob-table.ts';
import type { RepositoryIndex } from '../index/repository-index.ts';
import type { Repository } from '../repository.ts';
import type { TreeNode } from '../snapshot/tree.ts';

/** Folders that are read at once: the storage's latency overlaps. */
const readersMax = 8;

export interface TreeVisitor {
  /** Whether a tree shall be read; asked once for each place that names it. */
  isEntered(slot: number): boolean;
  visitData(slot: number): void;
}

/**
 * Visits every blob below a tree, in any order.
 * @throws RepositoryError 'repository.damaged', or 'repository.incomplete' when no index file knows a blob
 */
export async function visitTrees(
  repository: Repository,
  root: BlobId,
  visitor: TreeVisitor,
  signal?: AbortSignal,
): Promise<void> {
  const index = await repository.index();
  const queue: BlobId[] = [];
  const enqueue = (id: BlobId): void => {
    const slot = slotOf(index, 'tree', id);
    if (slot < 0 || visitor.isEntered(slot)) queue.push(id);
  };
  const visit = (node: TreeNode): void => {
    for (const id of node.content ?? []) {
      const slot = slotOf(index, 'data', id);
      if (slot >= 0) visitor.visitData(slot);
    }
    if (node.subtree) enqueue(node.subtree);
  };
  enqueue(root);
  const reading = new Set<Promise<void>>();
  while (queue.length > 0 || reading.size > 0) {
    signal?.throwIfAborted();
    while (queue.length > 0 && reading.size < readersMax) {
      const read = repository.readTree(queue.pop()!, signal).then((nodes) => {
        reading.delete(read);
        nodes.forEach(visit);
      });
      reading.add(read);
    }
    await Promise.race(reading);
  }
}

/**
 * The number of a blob in the index's table; -1 when it lies only in a pack that a prune has marked, which has none.
 * @throws RepositoryError 'repository.incomplete'
 */
export function slotOf(index: RepositoryIndex, type: BlobType, id: BlobId): number {
  const slot = index.table.slot(type, idWordsOfHex(id));
  if (slot >= 0 || index.places(type, id).length > 0) return slot;
  throw new RepositoryError(
    'repository.incomplete',
    `no index file knows the ${type} blob ${id.slice(0, 12)}`,
    {
      hint: 'Run `holdfast check` to see what else is missing, then `holdfast repair index`.',
      context: { blob: id },
    },
  );
}
