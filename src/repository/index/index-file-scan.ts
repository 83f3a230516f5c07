import type { BlobType } from './blob-table.ts';
import { decodeIndex, type IndexFile, timeMsOf } from './index-file.ts';

/** Receives what an index file says, in the order of the file: a pack, its blobs, the end of the pack. */
export interface IndexVisitor {
  /** 32 bytes each, written before the calls that speak of them. They may be views into a table. */
  readonly packId: Uint8Array;
  readonly blobId: Uint8Array;
  /** @param isMarked the pack is marked for deletion */
  beginPack(isMarked: boolean): void;
  blob(type: BlobType, offset: number, length: number, uncompressedLength: number): void;
  endPack?(facts: { timeMs: number | undefined; sizeBytes: number | undefined }): void;
}

/**
 * Reads the JSON of an index file without building objects: an index of five million blobs takes seconds and no
 * memory. A layout that restic, rustic and we do not write is read by JSON.parse instead, with the same calls.
 * @throws RepositoryError 'repository.damaged', possibly after some calls
 */
export function scanIndex(json: Uint8Array, visitor: IndexVisitor): void {
  const scanner = new Scanner(json, visitor);
  if (!scanner.scanFile()) visitDecoded(decodeIndex(json), visitor, scanner.callCount);
}

/** Makes the calls for a decoded index, except for the first ones, which the scanner has already made. */
function visitDecoded(index: Required<IndexFile>, visitor: IndexVisitor, callsMade: number): void {
  let calls = 0;
  const isDue = () => calls++ >= callsMade;
  for (const isMarked of [false, true]) {
    for (const pack of isMarked ? index.packsToDelete : index.packs) {
      visitor.packId.set(Buffer.from(pack.id, 'hex'));
      if (isDue()) visitor.beginPack(isMarked);
      for (const { id, type, offset, length, uncompressedLength } of pack.blobs) {
        visitor.blobId.set(Buffer.from(id, 'hex'));
        if (isDue()) visitor.blob(type, offset, length, uncompressedLength);
      }
      if (isDue()) visitor.endPack?.({ timeMs: pack.timeMs, sizeBytes: pack.sizeBytes });
    }
  }
}

const text = (literal: string): Uint8Array => Buffer.from(literal, 'latin1');
const literals = {
  file: text('{"packs":['),
  packsToDelete: text('],"packs_to_delete":['),
  fileEnd: text(']}'),
  id: text('{"id":"'),
  blobs: text('","blobs":['),
  type: text('","type":"'),
  data: text('data","offset":'),
  tree: text('tree","offset":'),
  length: text(',"length":'),
  uncompressedLength: text(',"uncompressed_length":'),
  time: text(',"time":"'),
  size: text(',"size":'),
};
const comma = 0x2c;
const quote = 0x22;
const closingBrace = 0x7d;
const closingBracket = 0x5d;
const zeroDigit = 0x30;
const maxTimeLength = 40;

/** Value of each hex digit; above 15 for everything else. */
const hexValue = new Uint8Array(256).fill(0xff);
for (let value = 0; value < 16; value++) hexValue[value.toString(16).charCodeAt(0)] = value;

/** A cursor over the bytes. Every `scan…` returns whether it found what it looks for and moves behind it. */
class Scanner {
  readonly #json: Uint8Array;
  readonly #visitor: IndexVisitor;
  #at = 0;
  #number = 0;
  /** How many calls of the visitor were made. */
  callCount = 0;

  constructor(json: Uint8Array, visitor: IndexVisitor) {
    this.#json = json;
    this.#visitor = visitor;
  }

  /** Whether all of the file had the layout that this scanner knows. */
  scanFile(): boolean {
    if (!this.#scan(literals.file) || !this.#scanPacks(false)) return false;
    if (this.#scan(literals.packsToDelete) && !this.#scanPacks(true)) return false;
    return this.#scan(literals.fileEnd) && this.#onlySpaceFollows();
  }

  /** The packs up to the closing bracket. */
  #scanPacks(isMarked: boolean): boolean {
    if (this.#json[this.#at] === closingBracket) return true;
    do {
      if (!this.#scanPack(isMarked)) return false;
    } while (this.#skip(comma));
    return this.#json[this.#at] === closingBracket;
  }

  #scanPack(isMarked: boolean): boolean {
    if (!this.#scan(literals.id) || !this.#scanId(this.#visitor.packId)) return false;
    if (!this.#scan(literals.blobs)) return false;
    this.callCount++;
    this.#visitor.beginPack(isMarked);
    if (!this.#skip(closingBracket)) {
      do {
        if (!this.#scanBlob()) return false;
      } while (this.#skip(comma));
      if (!this.#skip(closingBracket)) return false;
    }
    return this.#scanPackEnd();
  }

  #scanPackEnd(): boolean {
    const timeMs = this.#scan(literals.time) ? this.#scanTime() : undefined;
    const hasSize = this.#scan(literals.size);
    if (hasSize && !this.#scanNumber()) return false;
    if (!this.#skip(closingBrace)) return false;
    this.callCount++;
    this.#visitor.endPack?.({ timeMs, sizeBytes: hasSize ? this.#number : undefined });
    return true;
  }

  #scanBlob(): boolean {
    if (!this.#scan(literals.id) || !this.#scanId(this.#visitor.blobId) || !this.#scan(literals.type))
      return false;
    const type = this.#scan(literals.data) ? 'data' : 'tree';
    if (type === 'tree' && !this.#scan(literals.tree)) return false;
    if (!this.#scanNumber()) return false;
    const offset = this.#number;
    if (!this.#scan(literals.length) || !this.#scanNumber()) return false;
    const length = this.#number;
    this.#number = 0;
    if (this.#scan(literals.uncompressedLength) && !this.#scanNumber()) return false;
    if (!this.#skip(closingBrace)) return false;
    this.callCount++;
    this.#visitor.blob(type, offset, length, this.#number);
    return true;
  }

  #scan(literal: Uint8Array): boolean {
    const json = this.#json;
    const at = this.#at;
    for (let i = 0; i < literal.length; i++) if (json[at + i] !== literal[i]) return false;
    this.#at = at + literal.length;
    return true;
  }

  #skip(byte: number): boolean {
    if (this.#json[this.#at] !== byte) return false;
    this.#at++;
    return true;
  }

  #scanId(id: Uint8Array): boolean {
    const json = this.#json;
    let at = this.#at;
    if (at + 64 > json.length) return false;
    let wrong = 0;
    for (let i = 0; i < 32; i++) {
      const high = hexValue[json[at++]!]!;
      const low = hexValue[json[at++]!]!;
      wrong |= high | low;
      id[i] = (high << 4) | low;
    }
    this.#at = at;
    return wrong <= 15;
  }

  /** A whole number of 32 bits, into `#number`. */
  #scanNumber(): boolean {
    const from = this.#at;
    let value = 0;
    for (;;) {
      const digit = this.#json[this.#at]! - zeroDigit;
      if (!(digit >= 0 && digit <= 9)) break;
      value = value * 10 + digit;
      this.#at++;
    }
    const count = this.#at - from;
    this.#number = value;
    return (
      count > 0 && count <= 10 && value <= 0xffff_ffff && (count === 1 || this.#json[from] !== zeroDigit)
    );
  }

  #scanTime(): number {
    const from = this.#at;
    while (this.#json[this.#at] !== quote && this.#at - from <= maxTimeLength) this.#at++;
    const time = Buffer.from(this.#json.subarray(from, this.#at)).toString('latin1');
    this.#at++;
    return timeMsOf(time);
  }

  #onlySpaceFollows(): boolean {
    while (this.#at < this.#json.length) if (this.#json[this.#at++]! > 0x20) return false;
    return true;
  }
}
