import assert from 'node:assert/strict';
import { type BlobCodec, type PackHash, type SealedSize, sealedSizeMax } from '../crypto/blob-codec.ts';
import { type ArenaLayout, packEntryCountMax, packPlaces } from '../executor/arena.ts';
import type { BlobType } from '../index/blob-table.ts';
import { packTrailerBytes, writePackEntry } from './pack-header.ts';

/** A finished pack: it lies in the pack buffer `buffer`, its header's plaintext in the same buffer's header place. */
export interface FinishedPack {
  buffer: number;
  /** SHA-256 of the whole file, hex. */
  id: string;
  sizeBytes: number;
  headerBytes: number;
}

/** Fills one pack buffer with sealed blobs of one type. */
export class PackBuilder {
  readonly #layout: ArenaLayout;
  readonly #codec: BlobCodec;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #hash: PackHash;
  readonly type: BlobType;
  #buffer = -1;
  #body = 0;
  #header = 0;
  #size = 0;
  #headerBytes = 0;
  #entries = 0;

  constructor(options: { layout: ArenaLayout; memory: SharedArrayBuffer; codec: BlobCodec; type: BlobType }) {
    this.#layout = options.layout;
    this.#codec = options.codec;
    this.#bytes = new Uint8Array(options.memory);
    this.#view = new DataView(options.memory);
    this.#hash = options.codec.createPackHash();
    this.type = options.type;
  }

  /** Whether a buffer must be given with `begin` before the next `add`. */
  get needsBuffer(): boolean {
    return this.#buffer < 0;
  }

  begin(buffer: number): void {
    const places = packPlaces(this.#layout, buffer);
    this.#buffer = buffer;
    this.#body = places.body;
    this.#header = places.header;
    this.#size = 0;
    this.#headerBytes = 0;
    this.#entries = 0;
  }

  /**
   * Seals a blob into the pack.
   * @param idAt offset of its 32 bytes of id
   * @returns whether the pack is full and must be finished
   */
  add(
    offset: number,
    length: number,
    idAt: number,
    options: { compress: 'always' | 'if-smaller' | 'never'; verify: boolean },
  ): boolean {
    assert(this.#buffer >= 0 && length > 0);
    assert(this.#body + this.#size + sealedSizeMax(length) <= this.#header, 'a blob does not fit its pack');
    const at = this.#body + this.#size;
    const sealed = this.#codec.seal(offset, length, at, options.compress);
    if (options.verify && !this.#codec.verify(at, sealed.length, sealed.uncompressedLength, idAt)) {
      throw new Error('a sealed blob did not open to the same bytes: faulty memory, or a fault of Holdfast');
    }
    return this.#append(sealed, idAt);
  }

  /**
   * Takes over a blob as it was sealed for another pack of this repository.
   * @returns whether the pack is full and must be finished, or undefined when the blob does not open to its id: then
   * it was not taken
   */
  addSealed(offset: number, sealed: SealedSize, idAt: number): boolean | undefined {
    assert(this.#buffer >= 0);
    const at = this.#body + this.#size;
    assert(at + sealed.length <= this.#header, 'a blob does not fit its pack');
    this.#bytes.copyWithin(at, offset, offset + sealed.length);
    if (!this.#codec.verify(at, sealed.length, sealed.uncompressedLength, idAt)) return undefined;
    return this.#append(sealed, idAt);
  }

  /** Counts in the blob that lies at the end of the body. */
  #append(sealed: SealedSize, idAt: number): boolean {
    const at = this.#body + this.#size;
    this.#hash.update(at, sealed.length);
    const id = this.#bytes.subarray(idAt, idAt + 32);
    const entry = { type: this.type, ...sealed };
    this.#headerBytes += writePackEntry(this.#view, this.#header + this.#headerBytes, entry, id);
    this.#size += sealed.length;
    this.#entries++;
    return this.#size >= this.#layout.packSizeTarget || this.#entries >= packEntryCountMax;
  }

  /** Writes header and trailer and lets go of the buffer; undefined when nothing was added. */
  finish(): FinishedPack | undefined {
    if (this.#buffer < 0 || this.#entries === 0) return undefined;
    const end = this.#body + this.#size;
    const sealed = this.#codec.seal(this.#header, this.#headerBytes, end, 'never');
    this.#view.setUint32(end + sealed.length, sealed.length, true);
    this.#hash.update(end, sealed.length + packTrailerBytes);
    const pack = {
      buffer: this.#buffer,
      id: this.#hash.digest(),
      sizeBytes: this.#size + sealed.length + packTrailerBytes,
      headerBytes: this.#headerBytes,
    };
    this.#buffer = -1;
    return pack;
  }
}
