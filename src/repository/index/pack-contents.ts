import type { BlobId } from '../format/ids.ts';
import { type BlobLocation, type BlobType, hexOfWords } from './blob-table.ts';
import type { RepositoryIndex } from './repository-index.ts';

/** A blob as a pack holds it. */
export interface PackBlob extends BlobLocation {
  type: BlobType;
  id: BlobId;
}

/**
 * Which blobs lie in which pack: the index turned round. Holds 4 bytes for each blob and each pack; the blobs of a
 * pack become objects when they are asked for.
 */
export class PackContents {
  readonly #index: RepositoryIndex;
  /** Slots of the blobs in the index's table, pack by pack; those of pack n end at `ends[n]`. */
  readonly #slots: Uint32Array;
  readonly #ends: Uint32Array;
  /** Second copies, which have no slot of their own. */
  readonly #copies = new Map<number, PackBlob[]>();

  constructor(index: RepositoryIndex) {
    this.#index = index;
    this.#ends = new Uint32Array(index.packs.count + 1);
    index.table.forEach((_type, _id, { pack }) => {
      this.#ends[pack + 1]!++;
    });
    for (let pack = 1; pack <= index.packs.count; pack++) this.#ends[pack]! += this.#ends[pack - 1]!;
    this.#slots = new Uint32Array(this.#ends.at(-1)!);
    // From here `ends[n]` is where the next blob of pack n goes, until it is the end of that pack.
    index.table.forEach((_type, _id, { pack }, slot) => {
      this.#slots[this.#ends[pack]!++] = slot;
    });
    index.forEachExtraCopy((type, id, place) => {
      const copies = this.#copies.get(place.pack) ?? [];
      copies.push({ ...place, type, id: hexOfWords(id) as BlobId });
      this.#copies.set(place.pack, copies);
    });
  }

  /** The blobs of a pack by its number, in order of their offsets. */
  blobsOf(pack: number): PackBlob[] {
    const begin = pack === 0 ? 0 : this.#ends[pack - 1]!;
    const slots = this.#slots.subarray(begin, this.#ends[pack]!);
    const blobs = Array.from(slots, (slot): PackBlob => {
      const { type, id, location } = this.#index.table.entryAt(slot);
      return { ...location, type, id: hexOfWords(id) as BlobId };
    });
    return [...blobs, ...(this.#copies.get(pack) ?? [])].sort((a, b) => a.offset - b.offset);
  }
}
