import type { PackId } from '../format/ids.ts';

const idBytes = 32;
const packsMin = 64;
/** The lookup has at least so many places for each pack. */
const placesPerPack = 2;

/** Pack ids by number, and back: about 44 bytes each, because a large repository has a million. */
export class PackList {
  #bytes = Buffer.alloc(packsMin * idBytes);
  #count = 0;
  /** Numbers + 1 by open addressing; 0 is a free place. */
  #places = new Int32Array(packsMin * placesPerPack);

  get count(): number {
    return this.#count;
  }

  /** Gives the id the next number, or the one that it has. */
  add(id: PackId): number {
    const bytes = Buffer.from(id, 'hex');
    const known = this.numberOf(bytes);
    if (known >= 0) return known;
    if ((this.#count + 1) * idBytes > this.#bytes.length) this.#grow();
    this.#bytes.set(bytes, this.#count * idBytes);
    this.#places[this.#placeOf(bytes)] = this.#count + 1;
    return this.#count++;
  }

  /** The number of a pack, given as 32 bytes; -1 when it has none. */
  numberOf(id: Uint8Array): number {
    return this.#places[this.#placeOf(id)]! - 1;
  }

  idOf(pack: number): PackId {
    return this.#bytes.toString('hex', pack * idBytes, (pack + 1) * idBytes) as PackId;
  }

  /** Where the id stands in the lookup, or the free place where it would. */
  #placeOf(id: Uint8Array): number {
    // Ids are hashes, so their first bytes are already uniform.
    let place = ((id[0]! << 24) | (id[1]! << 16) | (id[2]! << 8) | id[3]!) >>> 0;
    for (;;) {
      place %= this.#places.length;
      const pack = this.#places[place]! - 1;
      if (pack < 0 || this.#isAt(pack, id)) return place;
      place++;
    }
  }

  #isAt(pack: number, id: Uint8Array): boolean {
    for (let i = 0, at = pack * idBytes; i < idBytes; i++, at++) if (this.#bytes[at] !== id[i]) return false;
    return true;
  }

  #grow(): void {
    const larger = Buffer.alloc(this.#bytes.length * 2);
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#places = new Int32Array(this.#places.length * 2);
    for (let pack = 0; pack < this.#count; pack++) {
      const id = this.#bytes.subarray(pack * idBytes, (pack + 1) * idBytes);
      this.#places[this.#placeOf(id)] = pack + 1;
    }
  }
}
