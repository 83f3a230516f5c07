import { RepositoryError } from '../errors.ts';
import type { BlobId } from '../format/ids.ts';
import type { RepositoryIndex } from '../index/repository-index.ts';
import { type PlacedBlob, plainLengthOf } from '../read/pack-ranges.ts';
import type { TreeNode } from '../snapshot/tree.ts';

/** A blob that is wanted, and where its bytes go: pairs of file number and offset in that file. */
export interface WantedBlob extends PlacedBlob {
  targets: number[];
}

export interface RestorePlan {
  blobs: Iterable<WantedBlob>;
  /** Files of which a part is in no index file, by number. */
  missing: Map<number, RepositoryError>;
}

/** What the content of many files is made of, each blob once. */
export function planRestore(index: RepositoryIndex, files: readonly { node: TreeNode }[]): RestorePlan {
  const blobs = new Map<BlobId, WantedBlob>();
  const missing = new Map<number, RepositoryError>();
  files.forEach(({ node }, number) => {
    let offset = 0;
    for (const id of node.content ?? []) {
      const blob = blobs.get(id) ?? findBlob(index, id);
      if (!blob) {
        missing.set(number, missingPart(id));
        return;
      }
      blobs.set(id, blob);
      blob.targets.push(number, offset);
      offset += blob.plainLength;
    }
  });
  return { blobs: blobs.values(), missing };
}

function findBlob(index: RepositoryIndex, id: BlobId): WantedBlob | undefined {
  const place = index.places('data', id)[0];
  return place && { id, place, plainLength: plainLengthOf(place), targets: [] };
}

function missingPart(id: BlobId): RepositoryError {
  return new RepositoryError('repository.incomplete', `a part is missing (blob ${id.slice(0, 12)})`, {
    hint: 'Run `holdfast check` to see what else is missing, then `holdfast repair index`.',
    context: { blob: id },
  });
}
