import { RepositoryError } from '../errors.ts';
import { slotBytes } from '../executor/arena.ts';
import type { BlobId } from '../format/ids.ts';
import type { BlobLocation } from '../index/blob-table.ts';
import type { RepositoryIndex } from '../index/repository-index.ts';
import type { TreeNode } from '../snapshot/tree.ts';

/** A blob that is wanted, and where its bytes go: pairs of file number and offset in that file. */
export interface WantedBlob {
  id: BlobId;
  place: BlobLocation;
  plainLength: number;
  targets: number[];
}

/** Neighbouring blobs of one pack, fetched by one request. */
export interface PackRange {
  pack: number;
  offset: number;
  length: number;
  blobs: WantedBlob[];
}

export interface RestorePlan {
  ranges: PackRange[];
  /** Blobs too large for the lanes' memory (another program wrote them); they are read one by one. */
  huge: WantedBlob[];
  /** Files of which a part is in no index file, by number. */
  missing: Map<number, RepositoryError>;
}

/** A gap that is cheaper to read over than to ask twice for. */
const gapBytesMax = 256 * 1024;
/** A request this long amortises its latency; longer ones only hold memory. */
const rangeBytesMax = 4 * 1024 * 1024;

/** Orders the content of many files by pack, so that each part is read once. */
export function planRestore(index: RepositoryIndex, files: readonly { node: TreeNode }[]): RestorePlan {
  const byPack = new Map<number, Map<number, WantedBlob>>();
  const missing = new Map<number, RepositoryError>();
  files.forEach(({ node }, number) => {
    let offset = 0;
    for (const id of node.content ?? []) {
      const place = index.places('data', id)[0];
      if (!place) {
        missing.set(number, missingPart(id));
        return;
      }
      const blob = wantedBlob(byPack, id, place);
      blob.targets.push(number, offset);
      offset += blob.plainLength;
    }
  });
  const ranges: PackRange[] = [];
  const huge: WantedBlob[] = [];
  for (const [pack, blobs] of byPack) addRanges(pack, blobs, ranges, huge);
  return { ranges, huge, missing };
}

function wantedBlob(
  byPack: Map<number, Map<number, WantedBlob>>,
  id: BlobId,
  place: BlobLocation,
): WantedBlob {
  let blobs = byPack.get(place.pack);
  if (!blobs) {
    blobs = new Map();
    byPack.set(place.pack, blobs);
  }
  let blob = blobs.get(place.offset);
  if (!blob) {
    blob = { id, place, plainLength: place.uncompressedLength || place.length - 32, targets: [] };
    blobs.set(place.offset, blob);
  }
  return blob;
}

function addRanges(
  pack: number,
  blobs: Map<number, WantedBlob>,
  ranges: PackRange[],
  huge: WantedBlob[],
): void {
  let range: PackRange | undefined;
  for (const blob of [...blobs.values()].sort((a, b) => a.place.offset - b.place.offset)) {
    const { offset, length } = blob.place;
    if (Math.max(length, blob.plainLength) > slotBytes) {
      huge.push(blob);
      continue;
    }
    const end = range ? range.offset + range.length : 0;
    const isNear = range && offset - end <= gapBytesMax && offset + length - range.offset <= rangeBytesMax;
    if (!range || !isNear) {
      range = { pack, offset, length: 0, blobs: [] };
      ranges.push(range);
    }
    range.blobs.push(blob);
    range.length = offset + length - range.offset;
  }
}

function missingPart(id: BlobId): RepositoryError {
  return new RepositoryError('repository.incomplete', `a part is missing (blob ${id.slice(0, 12)})`, {
    hint: 'Run `holdfast check` to see what else is missing, then `holdfast repair index`.',
    context: { blob: id },
  });
}
