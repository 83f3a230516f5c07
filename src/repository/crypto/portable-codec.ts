import { createCipheriv, createHash, hash, timingSafeEqual } from 'node:crypto';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { poly1305 } from '../format/poly1305.ts';
import {
  type BlobCodec,
  type CodecOptions,
  type PackHash,
  type SealedSize,
  sealOverheadBytes,
  zstdParameters,
} from './blob-codec.ts';

const ivBytes = 16;

/** The work on blobs through node:crypto and node:zlib, for a Node without native calls. */
export class PortableCodec implements BlobCodec {
  readonly kind = 'portable';
  readonly #options: CodecOptions;
  readonly #bytes: Buffer;
  readonly #view: Uint8Array;

  constructor(options: CodecOptions) {
    this.#options = options;
    this.#view = new Uint8Array(options.memory);
    this.#bytes = Buffer.from(options.memory);
  }

  hash(offset: number, length: number, out: number): void {
    this.#view.set(hash('sha256', this.#bytes.subarray(offset, offset + length), 'buffer'), out);
  }

  seal(offset: number, length: number, out: number, compress: 'always' | 'if-smaller' | 'never'): SealedSize {
    const plain = this.#bytes.subarray(offset, offset + length);
    const packed = compress === 'never' ? undefined : this.#compress(plain);
    const compressed =
      packed !== undefined && (compress === 'always' || packed.length < length - (length >> 6));
    const iv = this.#newIv();
    const body = createCipheriv('aes-256-ctr', this.#options.key.encrypt, iv).update(
      compressed ? packed : plain,
    );
    this.#view.set(iv, out);
    this.#view.set(body, out + ivBytes);
    this.#view.set(this.#mac(iv, body), out + ivBytes + body.length);
    return { length: body.length + sealOverheadBytes, uncompressedLength: compressed ? length : 0 };
  }

  open(offset: number, length: number, uncompressedLength: number, out: number, capacity: number): number {
    const plain = this.#openToBuffer(offset, length, uncompressedLength);
    if (!plain || plain.length > capacity) return -1;
    this.#view.set(plain, out);
    return plain.length;
  }

  verify(offset: number, length: number, uncompressedLength: number, id: number): boolean {
    const plain = this.#openToBuffer(offset, length, uncompressedLength);
    return plain !== undefined && hash('sha256', plain, 'buffer').equals(this.#bytes.subarray(id, id + 32));
  }

  createPackHash(): PackHash {
    let running = createHash('sha256');
    return {
      update: (offset, length) => {
        running.update(this.#bytes.subarray(offset, offset + length));
      },
      digest: () => {
        const digest = running.digest('hex');
        running = createHash('sha256');
        return digest;
      },
    };
  }

  close(): void {}

  #compress(plain: Uint8Array): Buffer {
    return zstdCompressSync(plain, {
      chunkSize: Math.max(64, plain.length + (plain.length >> 7) + 128),
      params: Object.fromEntries(zstdParameters(this.#options.compression)),
    });
  }

  #openToBuffer(offset: number, length: number, uncompressedLength: number): Buffer | undefined {
    if (length < sealOverheadBytes) return undefined;
    const iv = this.#bytes.subarray(offset, offset + ivBytes);
    const body = this.#bytes.subarray(offset + ivBytes, offset + length - 16);
    const mac = this.#bytes.subarray(offset + length - 16, offset + length);
    if (!timingSafeEqual(mac, this.#mac(iv, body))) return undefined;
    const plain = createCipheriv('aes-256-ctr', this.#options.key.encrypt, iv).update(body);
    if (uncompressedLength === 0) return plain;
    try {
      const unpacked = zstdDecompressSync(plain, {
        chunkSize: Math.max(64, uncompressedLength + 1),
        maxOutputLength: uncompressedLength,
      });
      return unpacked.length === uncompressedLength ? unpacked : undefined;
    } catch {
      // zlib's only errors here are a broken frame and too much output: the unit is damaged.
      return undefined;
    }
  }

  #newIv(): Uint8Array {
    const iv = this.#options.random.fill(new Uint8Array(ivBytes));
    return iv.every((byte) => byte === 0) ? this.#newIv() : iv;
  }

  #mac(iv: Uint8Array, body: Uint8Array): Uint8Array {
    const { macK, macR } = this.#options.key;
    const oneTimeKey = new Uint8Array(32);
    oneTimeKey.set(macR);
    oneTimeKey.set(createCipheriv('aes-128-ecb', macK, null).setAutoPadding(false).update(iv), 16);
    return poly1305(oneTimeKey, body);
  }
}
