import type { PackId } from '../format/ids.ts';

const idBytes = 32;

/** Pack ids by number: 32 bytes each, because a large repository has a million. */
export class PackList {
  #bytes = Buffer.alloc(64 * idBytes);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Gives the id the next number. The same id may get several. */
  add(id: PackId): number {
    if ((this.#count + 1) * idBytes > this.#bytes.length) {
      const larger = Buffer.alloc(this.#bytes.length * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.write(id, this.#count * idBytes, 'hex');
    return this.#count++;
  }

  idOf(pack: number): PackId {
    return this.#bytes.toString('hex', pack * idBytes, (pack + 1) * idBytes) as PackId;
  }
}
