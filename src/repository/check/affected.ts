import type { BlobId } from '../format/ids.ts';
import type { BlobReader } from '../read/blob-reader.ts';
import type { StoredSnapshot } from '../snapshot/snapshot.ts';
import type { TreeNode } from '../snapshot/tree.ts';

/** A file or folder of a snapshot that cannot be restored whole. */
export interface AffectedFile {
  snapshot: string;
  path: string;
}

/** The list is for people; the number of findings says the rest. */
const affectedMax = 1000;

/** Walks the snapshots for files that need a bad blob. */
export async function findAffected(
  reader: BlobReader,
  snapshots: readonly StoredSnapshot[],
  isBad: (type: 'data' | 'tree', id: BlobId) => boolean,
  signal?: AbortSignal,
): Promise<AffectedFile[]> {
  const affected: AffectedFile[] = [];
  for (const snapshot of snapshots) {
    const queue: { id: BlobId; path: string }[] = [{ id: snapshot.tree, path: '' }];
    for (let next = queue.pop(); next && affected.length < affectedMax; next = queue.pop()) {
      if (isBad('tree', next.id)) {
        affected.push({ snapshot: snapshot.id, path: next.path || '/' });
        continue;
      }
      for (const node of await readIfPossible(reader, next.id, signal)) {
        const path = `${next.path}/${Buffer.from(node.name).toString()}`;
        if (node.content?.some((id) => isBad('data', id))) affected.push({ snapshot: snapshot.id, path });
        if (node.subtree) queue.push({ id: node.subtree, path });
      }
    }
  }
  return affected;
}

/** A tree that cannot be read is a finding of its own already. */
async function readIfPossible(reader: BlobReader, id: BlobId, signal?: AbortSignal): Promise<TreeNode[]> {
  try {
    return (await reader.readTree(id, signal)).nodes;
  } catch {
    signal?.throwIfAborted();
    return [];
  }
}
