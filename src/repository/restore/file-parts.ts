import { RepositoryError } from '../errors.ts';
import type { BlobId } from '../format/ids.ts';
import type { BlobLocation } from '../index/blob-table.ts';
import type { RepositoryIndex } from '../index/repository-index.ts';
import { plainLengthOf } from '../read/pack-ranges.ts';
import type { Repository } from '../repository.ts';
import type { TreeNode } from '../snapshot/tree.ts';

/** One blob's bytes in a file; `id` is their SHA-256 in hex. */
export interface FilePart {
  id: BlobId;
  offset: number;
  length: number;
}

/**
 * The parts of a file in order, so that its bytes can be compared without fetching any.
 * @throws RepositoryError 'repository.incomplete' when no index file knows a part
 */
export async function filePartsOf(repository: Repository, node: TreeNode): Promise<FilePart[]> {
  return Array.from(partsIn(await repository.index(), node), ({ part }) => part);
}

/** The same, each with where the repository has it. */
export function* partsIn(
  index: RepositoryIndex,
  { content }: TreeNode,
): Generator<{ part: FilePart; place: BlobLocation }> {
  let offset = 0;
  for (const id of content ?? []) {
    const place = index.places('data', id)[0];
    if (!place) throw missingPart(id);
    const length = plainLengthOf(place);
    yield { part: { id, offset, length }, place };
    offset += length;
  }
}

function missingPart(id: BlobId): RepositoryError {
  return new RepositoryError('repository.incomplete', `a part is missing (blob ${id.slice(0, 12)})`, {
    hint: 'Run `holdfast check` to see what else is missing, then `holdfast repair index`.',
    context: { blob: id },
  });
}
