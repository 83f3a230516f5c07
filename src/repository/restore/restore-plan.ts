import { RepositoryError } from '../errors.ts';
import type { BlobId } from '../format/ids.ts';
import type { RepositoryIndex } from '../index/repository-index.ts';
import type { PlacedBlob } from '../read/pack-ranges.ts';
import type { TreeNode } from '../snapshot/tree.ts';
import { partsIn } from './file-parts.ts';

/** A blob that is wanted, and where its bytes go: pairs of file number and offset in that file. */
export interface WantedBlob extends PlacedBlob {
  targets: number[];
}

export interface RestorePlan {
  blobs: Iterable<WantedBlob>;
  /** Files of which a part is in no index file, by number. */
  missing: Map<number, RepositoryError>;
}

/**
 * What the content of many files is made of, each blob once.
 * @param there offsets of the parts that need not be fetched, by number of file
 */
export function planRestore(
  index: RepositoryIndex,
  files: readonly { node: TreeNode }[],
  there: ReadonlyMap<number, ReadonlySet<number>> = new Map(),
): RestorePlan {
  const blobs = new Map<BlobId, WantedBlob>();
  const missing = new Map<number, RepositoryError>();
  for (const [number, { node }] of files.entries()) {
    try {
      for (const { part, place } of partsIn(index, node)) {
        if (there.get(number)?.has(part.offset)) continue;
        const blob = blobs.get(part.id) ?? { id: part.id, place, plainLength: part.length, targets: [] };
        blobs.set(part.id, blob);
        blob.targets.push(number, part.offset);
      }
    } catch (error) {
      if (!(error instanceof RepositoryError)) throw error;
      missing.set(number, error);
    }
  }
  return { blobs: blobs.values(), missing };
}
