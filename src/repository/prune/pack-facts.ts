import { sealOverheadBytes } from '../crypto/blob-codec.ts';
import type { PackId } from '../format/ids.ts';
import { type BlobLocation, type BlobType, hexOfWords } from '../index/blob-table.ts';
import type { RepositoryIndex } from '../index/repository-index.ts';
import { SlotSet } from '../index/slot-set.ts';
import { packTrailerBytes } from '../pack/pack-header.ts';
import type { StoredPacks } from './stored-packs.ts';
import type { UsedBlobs } from './used-blobs.ts';

/** Which blobs a pack holds, as bits. */
export const holds = { data: 1, tree: 2, plainData: 4, plainTree: 8 };

/**
 * What is known of the packs that the index lists, by pack number; about 60 bytes each. Of a used blob with several
 * copies exactly one counts as used: the one that stays.
 */
export class PackFacts {
  readonly index: RepositoryIndex;
  /** Sealed bytes of blobs. */
  readonly usedBytes: Float64Array;
  readonly unusedBytes: Float64Array;
  readonly usedBlobs: Uint32Array;
  readonly unusedBlobs: Uint32Array;
  /** Bits of `holds`. */
  readonly kinds: Uint8Array;
  /** Size of the file; -1 when it is missing. */
  readonly sizeBytes: Float64Array;
  /** Second copies of used blobs. */
  duplicateBlobs = 0;
  /** `<type> <id>` of used blobs that lie in no pack that is there, but for marked ones. */
  readonly lost = new Map<string, PackId>();
  readonly #headerBytes: Float64Array;
  /** The pack that keeps a blob of which there are several copies, by slot. */
  readonly #keptIn = new Map<number, number>();

  constructor(index: RepositoryIndex, used: UsedBlobs, stored: StoredPacks) {
    const { count } = index.packs;
    this.index = index;
    this.usedBytes = new Float64Array(count);
    this.unusedBytes = new Float64Array(count);
    this.usedBlobs = new Uint32Array(count);
    this.unusedBlobs = new Uint32Array(count);
    this.kinds = new Uint8Array(count);
    this.sizeBytes = new Float64Array(count);
    this.#headerBytes = new Float64Array(count);
    for (let pack = 0; pack < count; pack++)
      this.sizeBytes[pack] = stored.sizeOf(index.packs.idOf(pack)) ?? -1;
    this.#countBlobs(used);
  }

  /** Size that the file must have. */
  expectedBytes(pack: number): number {
    const blobBytes = this.usedBytes[pack]! + this.unusedBytes[pack]!;
    return blobBytes + this.#headerBytes[pack]! + sealOverheadBytes + packTrailerBytes;
  }

  isThere(pack: number): boolean {
    return this.sizeBytes[pack]! >= 0;
  }

  /** Whether this copy of a used blob is the one that stays. */
  keeps(slot: number, pack: number): boolean {
    return (this.#keptIn.get(slot) ?? pack) === pack;
  }

  #countBlobs(used: UsedBlobs): void {
    const { index } = this;
    const copied = new SlotSet(index.table.slots);
    index.forEachCopied(({ type, slot, copies }) => {
      copied.add(slot);
      for (const place of copies) {
        this.#note(type, place);
        if (!used.hasSlot(slot)) this.#countUnused(place);
      }
    });
    index.table.forEach((type, id, place, slot) => {
      this.#note(type, place);
      if (!used.hasSlot(slot)) this.#countUnused(place);
      else if (!copied.has(slot)) this.#countUsed(place, () => `${type} ${hexOfWords(id)}`);
    });
    // By now it is known how much waste each pack has beside these.
    index.forEachCopied(({ type, id, slot, location, copies }) => {
      if (used.hasSlot(slot))
        this.#chooseCopy(slot, [location, ...copies], () => `${type} ${hexOfWords(id)}`);
    });
  }

  #note(type: BlobType, { pack, uncompressedLength }: BlobLocation): void {
    const isPlain = uncompressedLength === 0;
    this.kinds[pack]! |= holds[type] | (isPlain ? (type === 'tree' ? holds.plainTree : holds.plainData) : 0);
    this.#headerBytes[pack]! += isPlain ? 37 : 41;
  }

  #countUnused({ pack, length }: BlobLocation): void {
    this.unusedBytes[pack]! += length;
    this.unusedBlobs[pack]!++;
  }

  #countUsed({ pack, length }: BlobLocation, keyOf: () => string): void {
    this.usedBytes[pack]! += length;
    this.usedBlobs[pack]!++;
    if (!this.isThere(pack)) this.lost.set(keyOf(), this.index.packs.idOf(pack));
  }

  /**
   * Keeps the copy in the pack with the least waste: after an interrupted prune that is the new pack, so that its
   * work is not done twice.
   */
  #chooseCopy(slot: number, places: readonly BlobLocation[], keyOf: () => string): void {
    const isBetter = (a: number, b: number): boolean => {
      if (this.isThere(a) !== this.isThere(b)) return this.isThere(a);
      if (this.unusedBytes[a] !== this.unusedBytes[b]) return this.unusedBytes[a]! < this.unusedBytes[b]!;
      return a < b;
    };
    const best = places.reduce((kept, place) => (isBetter(place.pack, kept.pack) ? place : kept));
    this.#keptIn.set(slot, best.pack);
    for (const place of places) {
      if (place === best) this.#countUsed(place, keyOf);
      else {
        this.#countUnused(place);
        this.duplicateBlobs++;
      }
    }
  }
}
