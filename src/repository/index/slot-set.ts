/** A set of blobs by their slots in a BlobTable: one bit each. */
export class SlotSet {
  readonly #bits: Uint8Array;
  #size = 0;

  constructor(slots: number) {
    this.#bits = new Uint8Array(Math.ceil(slots / 8));
  }

  get size(): number {
    return this.#size;
  }

  has(slot: number): boolean {
    return (this.#bits[slot >> 3]! & (1 << (slot & 7))) !== 0;
  }

  /** Returns whether the slot was not in the set. */
  add(slot: number): boolean {
    if (this.has(slot)) return false;
    this.#bits[slot >> 3]! |= 1 << (slot & 7);
    this.#size++;
    return true;
  }
}
