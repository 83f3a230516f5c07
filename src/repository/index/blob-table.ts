import assert from 'node:assert/strict';

/** Blobs of the two types have separate spaces: the same bytes may be stored once as data and once as tree. */
export type BlobType = 'data' | 'tree';

/** Where a blob lies: pack by number (see PackList), offset and sealed length in it. */
export interface BlobLocation {
  pack: number;
  offset: number;
  length: number;
  /** 0 when the blob is stored uncompressed. */
  uncompressedLength: number;
}

/** One placed blob. The id's words lie in the table: they are valid until it changes. */
export interface TableEntry {
  type: BlobType;
  id: Int32Array;
  location: BlobLocation;
}

/** One entry is 12 words: state, offset, length, uncompressed length, 8 words of id. */
const entryWords = 12;
const field = { state: 0, offset: 1, length: 2, uncompressedLength: 3, id: 4 };

/** State of an entry: free, being written, claimed by this run without a place yet, else pack number + 3. */
const free = 0;
const busy = 1;
const claimed = 2;
const firstPack = 3;
const treeBit = 0x40000000;

const fillMax = 0.8;
const segmentCapacityMin = 1024;

/** The memory of one segment, handed to other threads as it is. */
export interface TableSegment {
  entries: SharedArrayBuffer;
  /** One word: the number of entries in use. */
  count: SharedArrayBuffer;
}

/**
 * Blob id → place, by open addressing in shared memory: 48 bytes an entry, at most 80 % full, so 60 bytes a
 * blob when the number is known beforehand. Threads claim ids by compare-and-set; only the owner of the table
 * adds segments and writes places.
 */
export class BlobTable {
  readonly #segments: { words: Int32Array; count: Int32Array; capacity: number }[] = [];
  readonly #shared: TableSegment[] = [];

  /** @param capacity how many blobs the first segment must hold */
  static create(capacity: number): BlobTable {
    const table = new BlobTable();
    table.addSegment(capacity);
    return table;
  }

  /** The same table in another thread. */
  static attach(segments: readonly TableSegment[]): BlobTable {
    const table = new BlobTable();
    for (const segment of segments) table.attachSegment(segment);
    return table;
  }

  get segments(): readonly TableSegment[] {
    return this.#shared;
  }

  get memoryBytes(): number {
    return this.#shared.reduce((sum, segment) => sum + segment.entries.byteLength, 0);
  }

  /** Number of ids in the table, claimed ones included. */
  get size(): number {
    return this.#segments.reduce((sum, segment) => sum + Atomics.load(segment.count, 0), 0);
  }

  /** How many more ids the last segment takes. */
  get room(): number {
    const last = this.#segments.at(-1)!;
    return Math.floor(last.capacity * fillMax) - Atomics.load(last.count, 0);
  }

  addSegment(capacity: number): TableSegment {
    const slots = Math.max(segmentCapacityMin, Math.ceil(capacity / fillMax) + 1);
    const segment = {
      entries: new SharedArrayBuffer(slots * entryWords * 4),
      count: new SharedArrayBuffer(4),
    };
    this.attachSegment(segment);
    return segment;
  }

  attachSegment(segment: TableSegment): void {
    const words = new Int32Array(segment.entries);
    this.#shared.push(segment);
    this.#segments.push({ words, count: new Int32Array(segment.count), capacity: words.length / entryWords });
  }

  /**
   * Takes an id for storing. The id is 8 words as they lie in memory.
   * @returns true when nobody had it: the caller now owes the blob
   */
  claim(type: BlobType, id: Int32Array): boolean {
    const last = this.#segments.length - 1;
    for (let i = 0; i < last; i++) if (this.#find(i, type, id) >= 0) return false;
    return this.#insert(last, type, id, claimed).isNew;
  }

  /** Enters a blob with its place. Returns false when the id was there already (with or without a place). */
  add(
    type: BlobType,
    id: Int32Array,
    pack: number,
    offset: number,
    length: number,
    uncompressedLength: number,
  ): boolean {
    const last = this.#segments.length - 1;
    for (let i = 0; i < last; i++) if (this.#find(i, type, id) >= 0) return false;
    const { at, isNew } = this.#insert(last, type, id, claimed);
    if (isNew) this.#place(last, at, type, pack, offset, length, uncompressedLength);
    return isNew;
  }

  /** Gives a claimed (or placed) id its place. */
  place(type: BlobType, id: Int32Array, location: BlobLocation): void {
    const found = this.#locate(type, id);
    assert(found, 'a blob was placed that nobody claimed');
    this.#place(
      found.segment,
      found.at,
      type,
      location.pack,
      location.offset,
      location.length,
      location.uncompressedLength,
    );
  }

  has(type: BlobType, id: Int32Array): boolean {
    return this.#locate(type, id) !== undefined;
  }

  /** The place of a blob, or undefined when it is unknown or only claimed. */
  get(type: BlobType, id: Int32Array): BlobLocation | undefined {
    const found = this.#locate(type, id);
    if (!found) return undefined;
    const { words } = this.#segments[found.segment]!;
    return (words[found.at]! & ~treeBit) < firstPack ? undefined : locationOf(words, found.at);
  }

  /** A stable number of the blob below `slots`, for bit sets over the table; -1 when unknown. */
  slot(type: BlobType, id: Int32Array): number {
    const found = this.#locate(type, id);
    if (!found) return -1;
    let before = 0;
    for (let i = 0; i < found.segment; i++) before += this.#segments[i]!.capacity;
    return before + found.at / entryWords;
  }

  get slots(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.capacity, 0);
  }

  /** Every placed blob. The id's words are valid during the call only. */
  forEach(visit: (type: BlobType, id: Int32Array, location: BlobLocation, slot: number) => void): void {
    let before = 0;
    for (const { words, capacity } of this.#segments) {
      for (let slot = 0; slot < capacity; slot++) {
        const at = slot * entryWords;
        if ((words[at]! & ~treeBit) < firstPack) continue;
        const { type, id, location } = entryOf(words, at);
        visit(type, id, location, before + slot);
      }
      before += capacity;
    }
  }

  /** The placed blob at a slot that `forEach` or `slot` told. */
  entryAt(slot: number): TableEntry {
    let at = slot;
    for (const { words, capacity } of this.#segments) {
      if (at < capacity) return entryOf(words, at * entryWords);
      at -= capacity;
    }
    throw new RangeError(`the table has no slot ${slot}`);
  }

  #locate(type: BlobType, id: Int32Array): { segment: number; at: number } | undefined {
    for (let i = 0; i < this.#segments.length; i++) {
      const at = this.#find(i, type, id);
      if (at >= 0) return { segment: i, at };
    }
    return undefined;
  }

  #find(index: number, type: BlobType, id: Int32Array): number {
    const { words, capacity } = this.#segments[index]!;
    let slot = startSlot(id, capacity);
    for (;;) {
      const at = slot * entryWords;
      const state = settledState(words, at);
      if (state === free) return -1;
      if (isSame(words, at, state, type, id)) return at;
      slot = slot + 1 === capacity ? 0 : slot + 1;
    }
  }

  #insert(index: number, type: BlobType, id: Int32Array, state: number): { at: number; isNew: boolean } {
    const { words, count, capacity } = this.#segments[index]!;
    let slot = startSlot(id, capacity);
    for (;;) {
      const at = slot * entryWords;
      if (Atomics.compareExchange(words, at, free, busy) === free) {
        for (let i = 0; i < 8; i++) words[at + field.id + i] = id[i]!;
        Atomics.add(count, 0, 1);
        Atomics.store(words, at, type === 'tree' ? state | treeBit : state);
        return { at, isNew: true };
      }
      if (isSame(words, at, settledState(words, at), type, id)) return { at, isNew: false };
      slot = slot + 1 === capacity ? 0 : slot + 1;
    }
  }

  #place(
    segment: number,
    at: number,
    type: BlobType,
    pack: number,
    offset: number,
    length: number,
    uncompressedLength: number,
  ): void {
    const { words } = this.#segments[segment]!;
    words[at + field.offset] = offset;
    words[at + field.length] = length;
    words[at + field.uncompressedLength] = uncompressedLength;
    Atomics.store(words, at, type === 'tree' ? (pack + firstPack) | treeBit : pack + firstPack);
  }
}

function entryOf(words: Int32Array, at: number): TableEntry {
  return {
    type: words[at]! & treeBit ? 'tree' : 'data',
    id: words.subarray(at + field.id, at + field.id + 8),
    location: locationOf(words, at),
  };
}

function locationOf(words: Int32Array, at: number): BlobLocation {
  return {
    pack: (words[at]! & ~treeBit) - firstPack,
    offset: words[at + field.offset]! >>> 0,
    length: words[at + field.length]! >>> 0,
    uncompressedLength: words[at + field.uncompressedLength]! >>> 0,
  };
}

/** Ids are hashes, so their first word is already uniform. */
function startSlot(id: Int32Array, capacity: number): number {
  return Math.floor(((id[0]! >>> 0) / 0x1_0000_0000) * capacity);
}

/** The state once nobody is writing the entry. A writer holds it for a few dozen instructions. */
function settledState(words: Int32Array, at: number): number {
  for (;;) {
    const state = Atomics.load(words, at);
    if (state !== busy) return state;
  }
}

function isSame(words: Int32Array, at: number, state: number, type: BlobType, id: Int32Array): boolean {
  if ((state & treeBit) !== (type === 'tree' ? treeBit : 0)) return false;
  for (let i = 0; i < 8; i++) if (words[at + field.id + i] !== id[i]) return false;
  return true;
}

/** The 8 words of an id given as bytes at any alignment. */
export function idWords(bytes: Uint8Array, offset = 0): Int32Array {
  const words = new Int32Array(8);
  new Uint8Array(words.buffer).set(bytes.subarray(offset, offset + 32));
  return words;
}

/** The 8 words of an id given in hex. */
export function idWordsOfHex(hex: string): Int32Array {
  const words = new Int32Array(8);
  const written = Buffer.from(words.buffer).write(hex, 'hex');
  assert(written === 32, 'an id has 64 hex digits');
  return words;
}

/** Hex of an id's words. */
export function hexOfWords(words: Int32Array): string {
  return Buffer.from(words.buffer, words.byteOffset, 32).toString('hex');
}
