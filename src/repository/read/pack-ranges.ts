import { slotBytes } from '../executor/arena.ts';
import type { BlobId } from '../format/ids.ts';
import type { BlobLocation } from '../index/blob-table.ts';

/** A blob that is wanted, and the copy of it that is read first. */
export interface PlacedBlob {
  id: BlobId;
  place: BlobLocation;
  plainLength: number;
}

/** Neighbouring blobs of one pack, fetched by one request. */
export interface PackRange<Blob extends PlacedBlob> {
  pack: number;
  offset: number;
  length: number;
  blobs: Blob[];
}

export interface PackRanges<Blob extends PlacedBlob> {
  ranges: PackRange<Blob>[];
  /** Blobs too large for the lanes' memory (another program wrote them); they are read one by one. */
  huge: Blob[];
}

/** A gap that is cheaper to read over than to ask twice for. */
const gapBytesMax = 256 * 1024;
/** A request this long amortises its latency; longer ones only hold memory. */
const rangeBytesMax = 4 * 1024 * 1024;

/** Length of what a sealed blob opens to. */
export function plainLengthOf(place: BlobLocation): number {
  return place.uncompressedLength || place.length - 32;
}

/** Orders blobs, each of which comes once, by pack and offset, so that each part of a pack is read once. */
export function planRanges<Blob extends PlacedBlob>(blobs: Iterable<Blob>): PackRanges<Blob> {
  const byPack = new Map<number, Blob[]>();
  for (const blob of blobs) {
    const others = byPack.get(blob.place.pack);
    if (others) others.push(blob);
    else byPack.set(blob.place.pack, [blob]);
  }
  const planned: PackRanges<Blob> = { ranges: [], huge: [] };
  for (const [pack, list] of byPack) addRanges(pack, list, planned);
  return planned;
}

function addRanges<Blob extends PlacedBlob>(pack: number, blobs: Blob[], planned: PackRanges<Blob>): void {
  let range: PackRange<Blob> | undefined;
  for (const blob of blobs.sort((a, b) => a.place.offset - b.place.offset)) {
    const { offset, length } = blob.place;
    if (Math.max(length, blob.plainLength) > slotBytes) {
      planned.huge.push(blob);
      continue;
    }
    const end = range ? range.offset + range.length : 0;
    const isNear = range && offset - end <= gapBytesMax && offset + length - range.offset <= rangeBytesMax;
    if (!range || !isNear) {
      range = { pack, offset, length: 0, blobs: [] };
      planned.ranges.push(range);
    }
    range.blobs.push(blob);
    range.length = offset + length - range.offset;
  }
}
