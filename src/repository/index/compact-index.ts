import assert from 'node:assert/strict';
import type { BlobId, PackId } from '../format/ids.ts';
import { type BlobLocation, type BlobType, hexOfWords } from './blob-table.ts';
import { scanIndex } from './index-file-scan.ts';

/** A blob of one pack. */
export type CompactBlob = { type: BlobType; id: BlobId } & Omit<BlobLocation, 'pack'>;

/** One pack of an index file. */
export interface CompactPack {
  id: PackId;
  /** Marked for deletion. */
  isMarked: boolean;
  timeMs: number | undefined;
  blobs: CompactBlobs;
}

const bytesPerWord = 4;
/** Of the file: number of blobs, 0. */
const headerWords = 2;
/** Of a pack: number of blobs, flags, time (float64, ms), 8 words of id. */
const packWords = 12;
const packField = { blobCount: 0, flags: 1, time: 2, id: 4 };
const flag = { isMarked: 1, hasTime: 2 };
/** Of a blob: type, offset, length, uncompressed length, 8 words of id. */
const blobWords = 12;
const blobField = { type: 0, offset: 1, length: 2, uncompressedLength: 3, id: 4 };
const treeCode = 1;

/**
 * What an index file says, in words of 32 bits as they lie in memory: a header, then each pack with its blobs behind
 * it. 48 bytes a blob, read at the speed of memory; the form in which the cache keeps index files.
 */
export class CompactIndex {
  readonly #words: Int32Array;

  /** @param bytes as `bytes` gave them */
  constructor(bytes: Uint8Array) {
    const aligned = bytes.byteOffset % 8 === 0 ? bytes : new Uint8Array(bytes);
    this.#words = new Int32Array(aligned.buffer, aligned.byteOffset, aligned.length / bytesPerWord);
  }

  /** @throws RepositoryError 'repository.damaged' */
  static ofJson(json: Uint8Array): CompactIndex {
    return new CompactIndex(new Compactor(json).compact());
  }

  get bytes(): Uint8Array {
    return new Uint8Array(this.#words.buffer, this.#words.byteOffset, this.#words.byteLength);
  }

  get blobCount(): number {
    return this.#words[0]! >>> 0;
  }

  /** The packs in the order of the file. */
  *packs(): Generator<CompactPack> {
    const words = this.#words;
    for (let at = headerWords; at < words.length; ) {
      const flags = words[at + packField.flags]!;
      const times = new Float64Array(
        words.buffer,
        words.byteOffset + (at + packField.time) * bytesPerWord,
        1,
      );
      const blobsAt = at + packWords;
      const end = blobsAt + words[at + packField.blobCount]! * blobWords;
      yield {
        id: hexOfWords(words.subarray(at + packField.id, blobsAt)) as PackId,
        isMarked: (flags & flag.isMarked) !== 0,
        timeMs: flags & flag.hasTime ? times[0] : undefined,
        blobs: new CompactBlobs(words.subarray(blobsAt, end)),
      };
      at = end;
    }
  }
}

/** The blobs of a pack, 48 bytes each; they become objects when they are asked for. */
export class CompactBlobs {
  readonly #words: Int32Array;

  constructor(words: Int32Array) {
    this.#words = words;
  }

  get count(): number {
    return this.#words.length / blobWords;
  }

  /** The same, in memory of its own. */
  copy(): CompactBlobs {
    return new CompactBlobs(this.#words.slice());
  }

  /** The id's words are valid during the call only. */
  forEach(
    visit: (
      type: BlobType,
      id: Int32Array,
      offset: number,
      length: number,
      uncompressedLength: number,
    ) => void,
  ): void {
    const words = this.#words;
    const id = new Int32Array(8);
    for (let at = 0; at < words.length; at += blobWords) {
      for (let i = 0; i < 8; i++) id[i] = words[at + blobField.id + i]!;
      visit(
        words[at + blobField.type] === treeCode ? 'tree' : 'data',
        id,
        words[at + blobField.offset]! >>> 0,
        words[at + blobField.length]! >>> 0,
        words[at + blobField.uncompressedLength]! >>> 0,
      );
    }
  }

  toArray(): CompactBlob[] {
    const blobs: CompactBlob[] = [];
    this.forEach((type, id, offset, length, uncompressedLength) => {
      blobs.push({ type, id: hexOfWords(id) as BlobId, offset, length, uncompressedLength });
    });
    return blobs;
  }
}

/** Writes the compact form of an index file. */
class Compactor {
  readonly #json: Uint8Array;
  readonly #words: Int32Array;
  #end = headerWords;

  constructor(json: Uint8Array) {
    this.#json = json;
    // In JSON everything takes more room. What is not touched costs no memory.
    this.#words = new Int32Array(headerWords + Math.ceil(json.length / bytesPerWord));
  }

  compact(): Uint8Array {
    const words = this.#words;
    const packId = new Int32Array(8);
    const blobId = new Int32Array(8);
    let packAt = 0;
    scanIndex(this.#json, {
      packId: new Uint8Array(packId.buffer),
      blobId: new Uint8Array(blobId.buffer),
      beginPack: (isMarked) => {
        packAt = this.#take(packWords);
        words[packAt + packField.flags] = isMarked ? flag.isMarked : 0;
        words.set(packId, packAt + packField.id);
      },
      blob: (type, offset, length, uncompressedLength) => {
        const at = this.#take(blobWords);
        words[at + blobField.type] = type === 'tree' ? treeCode : 0;
        words[at + blobField.offset] = offset;
        words[at + blobField.length] = length;
        words[at + blobField.uncompressedLength] = uncompressedLength;
        for (let i = 0; i < 8; i++) words[at + blobField.id + i] = blobId[i]!;
        words[packAt + packField.blobCount]!++;
        words[0]!++;
      },
      endPack: ({ timeMs }) => {
        if (timeMs === undefined) return;
        words[packAt + packField.flags]! |= flag.hasTime;
        new Float64Array(words.buffer, (packAt + packField.time) * bytesPerWord, 1)[0] = timeMs;
      },
    });
    return new Uint8Array(words.buffer, 0, this.#end * bytesPerWord);
  }

  #take(count: number): number {
    const at = this.#end;
    this.#end += count;
    assert(this.#end <= this.#words.length, 'the JSON of an index is shorter than its compact form');
    return at;
  }
}
