import type { BlobLocation } from './blob-table.ts';

/** Of a place: pack, offset, length, uncompressed length, number of the next place of the same blob + 1. */
const placeWords = 5;
const field = { pack: 0, offset: 1, length: 2, uncompressedLength: 3, next: 4 };
const placesMin = 64;

/** Further places of blobs that lie in several packs, by the blob's slot in the table: about 60 bytes each. */
export class ExtraPlaces {
  #words = new Uint32Array(placesMin * placeWords);
  #count = 0;
  readonly #firsts = new Map<number, number>();

  get count(): number {
    return this.#count;
  }

  /** Adds a place, unless the blob has it. */
  add(slot: number, { pack, offset, length, uncompressedLength }: BlobLocation): void {
    let last = -1;
    for (let place = this.#firsts.get(slot) ?? -1; place >= 0; place = this.#next(place)) {
      if (this.#word(place, field.pack) === pack && this.#word(place, field.offset) === offset) return;
      last = place;
    }
    const added = this.#count++;
    if (added * placeWords === this.#words.length) this.#grow();
    this.#words.set([pack, offset, length, uncompressedLength, 0], added * placeWords);
    if (last < 0) this.#firsts.set(slot, added);
    else this.#words[last * placeWords + field.next] = added + 1;
  }

  /** The further places of a blob, in the order in which they were added. */
  of(slot: number): BlobLocation[] {
    const places: BlobLocation[] = [];
    for (let place = this.#firsts.get(slot) ?? -1; place >= 0; place = this.#next(place)) {
      places.push({
        pack: this.#word(place, field.pack),
        offset: this.#word(place, field.offset),
        length: this.#word(place, field.length),
        uncompressedLength: this.#word(place, field.uncompressedLength),
      });
    }
    return places;
  }

  /** Of the blobs that have further places. */
  slots(): IterableIterator<number> {
    return this.#firsts.keys();
  }

  #word(place: number, at: number): number {
    return this.#words[place * placeWords + at]!;
  }

  #next(place: number): number {
    return this.#word(place, field.next) - 1;
  }

  #grow(): void {
    const larger = new Uint32Array(this.#words.length * 2);
    larger.set(this.#words);
    this.#words = larger;
  }
}
