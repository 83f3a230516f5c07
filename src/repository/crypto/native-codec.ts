import assert from 'node:assert/strict';
import { toHex } from '#base';
import {
  type BlobCodec,
  type CodecOptions,
  type CompressionMode,
  codecScratchBytes,
  type PackHash,
  type SealedSize,
  sealedSizeMax,
  sealOverheadBytes,
  zstdParameters,
} from './blob-codec.ts';
import type { NativeFunctions, NativeLibrary } from './native-library.ts';

const ivBytes = 16;
const pieceBytes = 128 * 1024;
const ivPoolBytes = 4096;

/** Where things lie in the codec's scratch memory. */
const at = {
  polyKey: 0, // r (16), then AES_k(IV) (16)
  outLength: 32, // int written by OpenSSL
  mac: 48,
  digest: 64,
  outStruct: 96, // ZSTD_outBuffer: pointer, size, position
  inStruct: 120, // ZSTD_inBuffer
  keys: 160, // encrypt (32), macK (16); read once by OpenSSL, then wiped
  zeroIv: 224,
  poly: 1024, // opaque state of Poly1305
  sha: 2048, // SHA256_CTX
  packSha: 3072, // SHA256_CTX of each open pack
  plain: 8 * 1024,
  unpacked: 8 * 1024 + pieceBytes,
};
const shaContextBytes = 128;
const packHashCountMax = 8;
const zstdResetSession = 1;
/** zstd's errors are the last numbers below 2^64. */
const zstdErrorFrom = 2n ** 64n - 200n;

/** Memory that the garbage collector does not see. */
interface Contexts {
  f: NativeFunctions;
  ciphers: bigint[];
  compressor: bigint;
  decompressor: bigint;
}

/** For codecs that nobody closes. */
const forgotten = new FinalizationRegistry<Contexts>(freeContexts);

function freeContexts({ f, ciphers, compressor, decompressor }: Contexts): void {
  for (const cipher of ciphers) f.EVP_CIPHER_CTX_free(cipher);
  f.ZSTD_freeCCtx(compressor);
  f.ZSTD_freeDCtx(decompressor);
}

/** The work on blobs through OpenSSL and libzstd in the node binary: no garbage, contexts kept. */
export class NativeCodec implements BlobCodec {
  readonly kind = 'native';
  readonly #f: NativeFunctions;
  readonly #base: bigint;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #scratch: number;
  readonly #random: CodecOptions['random'];
  readonly #ivPool = new Uint8Array(ivPoolBytes);
  #ivNext = ivPoolBytes;
  readonly #ctr: bigint;
  readonly #ecb: bigint;
  readonly #compressor: bigint;
  readonly #decompressor: bigint;
  #contexts: Contexts | undefined;
  #packHashes = 0;

  constructor(options: CodecOptions, library: NativeLibrary) {
    const f = library.functions;
    this.#f = f;
    this.#base = library.addressOf(options.memory);
    this.#bytes = new Uint8Array(options.memory);
    this.#view = new DataView(options.memory);
    this.#scratch = options.scratch;
    this.#random = options.random;
    assert(f.Poly1305_ctx_size() <= 1024n, 'the state of Poly1305 outgrew its place');
    assert(at.unpacked + pieceBytes <= codecScratchBytes);
    this.#bytes.set(options.key.encrypt, this.#scratch + at.keys);
    this.#bytes.set(options.key.macK, this.#scratch + at.keys + 32);
    this.#bytes.set(options.key.macR, this.#scratch + at.polyKey);
    this.#bytes.fill(0, this.#scratch + at.zeroIv, this.#scratch + at.zeroIv + 16);
    this.#ctr = this.#newCipher(f.EVP_aes_256_ctr(), at.keys);
    this.#ecb = this.#newCipher(f.EVP_aes_128_ecb(), at.keys + 32);
    f.EVP_CIPHER_CTX_set_padding(this.#ecb, 0);
    this.#bytes.fill(0, this.#scratch + at.keys, this.#scratch + at.keys + 48);
    this.#compressor = f.ZSTD_createCCtx();
    this.#decompressor = f.ZSTD_createDCtx();
    assert(this.#compressor !== 0n && this.#decompressor !== 0n, 'zstd has no memory');
    this.#contexts = {
      f,
      ciphers: [this.#ctr, this.#ecb],
      compressor: this.#compressor,
      decompressor: this.#decompressor,
    };
    forgotten.register(this, this.#contexts, this);
    if (options.compression !== 'off') this.#setCompression(options.compression);
  }

  close(): void {
    if (!this.#contexts) return;
    forgotten.unregister(this);
    freeContexts(this.#contexts);
    this.#contexts = undefined;
  }

  #setCompression(mode: CompressionMode): void {
    for (const [parameter, value] of zstdParameters(mode)) {
      assert(this.#f.ZSTD_CCtx_setParameter(this.#compressor, parameter, value) < zstdErrorFrom);
    }
  }

  #newCipher(cipher: bigint, keyAt: number): bigint {
    const context = this.#f.EVP_CIPHER_CTX_new();
    assert(context !== 0n, 'OpenSSL has no memory');
    const ok = this.#f.EVP_EncryptInit_ex(context, cipher, 0n, this.#own(keyAt), this.#own(at.zeroIv));
    assert(ok === 1, 'OpenSSL refused the cipher');
    return context;
  }

  /** Address of a place in the scratch memory. */
  #own(place: number): bigint {
    return this.#base + BigInt(this.#scratch + place);
  }

  #address(offset: number): bigint {
    return this.#base + BigInt(offset);
  }

  hash(offset: number, length: number, out: number): void {
    this.#f.SHA256(this.#address(offset), BigInt(length), this.#address(out));
  }

  seal(offset: number, length: number, out: number, compress: 'always' | 'if-smaller' | 'never'): SealedSize {
    const body = out + ivBytes;
    let size = length;
    let compressed = false;
    if (compress !== 'never') {
      const capacity = BigInt(sealedSizeMax(length) - sealOverheadBytes);
      const packed = this.#f.ZSTD_compress2(
        this.#compressor,
        this.#address(body),
        capacity,
        this.#address(offset),
        BigInt(length),
      );
      assert(packed < zstdErrorFrom, `zstd could not compress ${length} bytes`);
      compressed = compress === 'always' || Number(packed) < length - (length >> 6);
      if (compressed) size = Number(packed);
    }
    this.#nextIv(out);
    this.#crypt(out, compressed ? body : offset, body, size);
    this.#mac(out, body, size, body + size);
    return { length: size + sealOverheadBytes, uncompressedLength: compressed ? length : 0 };
  }

  open(offset: number, length: number, uncompressedLength: number, out: number, capacity: number): number {
    if (!this.#isAuthentic(offset, length)) return -1;
    const size = length - sealOverheadBytes;
    const body = offset + ivBytes;
    if (uncompressedLength === 0) {
      if (size > capacity) return -1;
      this.#crypt(offset, body, out, size);
      return size;
    }
    if (uncompressedLength > capacity) return -1;
    this.#crypt(offset, body, body, size);
    const plain = this.#f.ZSTD_decompressDCtx(
      this.#decompressor,
      this.#address(out),
      BigInt(uncompressedLength),
      this.#address(body),
      BigInt(size),
    );
    return plain === BigInt(uncompressedLength) ? uncompressedLength : -1;
  }

  verify(offset: number, length: number, uncompressedLength: number, id: number): boolean {
    if (!this.#isAuthentic(offset, length)) return false;
    const total = this.#hashPlaintext(offset, length - sealOverheadBytes, uncompressedLength !== 0);
    if (total !== (uncompressedLength || length - sealOverheadBytes)) return false;
    return this.#isEqual(this.#scratch + at.digest, id, 32);
  }

  createPackHash(): PackHash {
    assert(this.#packHashes < packHashCountMax, 'a codec has only a few pack hashes');
    const context = this.#own(at.packSha + shaContextBytes * this.#packHashes++);
    const digestAt = this.#scratch + at.digest;
    assert(this.#f.SHA256_Init(context) === 1);
    return {
      update: (offset, length) => {
        assert(this.#f.SHA256_Update(context, this.#address(offset), BigInt(length)) === 1);
      },
      digest: () => {
        assert(this.#f.SHA256_Final(this.#address(digestAt), context) === 1);
        assert(this.#f.SHA256_Init(context) === 1);
        return toHex(this.#bytes.slice(digestAt, digestAt + 32));
      },
    };
  }

  /** Decrypts and decompresses piece by piece into `digest`, so that a large blob needs no large place. */
  #hashPlaintext(offset: number, size: number, compressed: boolean): number {
    const f = this.#f;
    const sha = this.#own(at.sha);
    const plain = this.#scratch + at.plain;
    assert(f.SHA256_Init(sha) === 1);
    this.#startCtr(offset);
    if (compressed) f.ZSTD_DCtx_reset(this.#decompressor, zstdResetSession);
    let total = 0;
    let frameEnded = !compressed;
    for (let done = 0; done < size; done += pieceBytes) {
      const length = Math.min(pieceBytes, size - done);
      this.#update(offset + ivBytes + done, plain, length);
      if (!compressed) {
        f.SHA256_Update(sha, this.#own(at.plain), BigInt(length));
        total += length;
        continue;
      }
      const result = this.#unpackPiece(length, sha);
      if (result.error) return -1;
      total += result.produced;
      frameEnded = result.ended;
    }
    f.SHA256_Final(this.#own(at.digest), sha);
    return frameEnded ? total : -1;
  }

  #unpackPiece(length: number, sha: bigint): { produced: number; ended: boolean; error: boolean } {
    const view = this.#view;
    const input = this.#scratch + at.inStruct;
    const output = this.#scratch + at.outStruct;
    view.setBigUint64(input, this.#own(at.plain), true);
    view.setBigUint64(input + 8, BigInt(length), true);
    view.setBigUint64(input + 16, 0n, true);
    let produced = 0;
    for (;;) {
      view.setBigUint64(output, this.#own(at.unpacked), true);
      view.setBigUint64(output + 8, BigInt(pieceBytes), true);
      view.setBigUint64(output + 16, 0n, true);
      const result = this.#f.ZSTD_decompressStream(
        this.#decompressor,
        this.#own(at.outStruct),
        this.#own(at.inStruct),
      );
      if (result >= zstdErrorFrom) return { produced, ended: false, error: true };
      const got = view.getBigUint64(output + 16, true);
      if (got > 0n) this.#f.SHA256_Update(sha, this.#own(at.unpacked), got);
      produced += Number(got);
      const consumed = Number(view.getBigUint64(input + 16, true));
      if (result === 0n) return { produced, ended: true, error: consumed !== length };
      if (consumed === length && Number(got) < pieceBytes) return { produced, ended: false, error: false };
    }
  }

  #nextIv(out: number): void {
    if (this.#ivNext === ivPoolBytes) {
      this.#random.fill(this.#ivPool);
      this.#ivNext = 0;
    }
    const iv = this.#ivPool.subarray(this.#ivNext, this.#ivNext + ivBytes);
    this.#ivNext += ivBytes;
    if (iv.every((byte) => byte === 0)) this.#nextIv(out);
    else this.#bytes.set(iv, out);
  }

  #startCtr(iv: number): void {
    assert(this.#f.EVP_EncryptInit_ex(this.#ctr, 0n, 0n, 0n, this.#address(iv)) === 1);
  }

  #update(from: number, to: number, length: number): void {
    const ok = this.#f.EVP_EncryptUpdate(
      this.#ctr,
      this.#address(to),
      this.#own(at.outLength),
      this.#address(from),
      length,
    );
    assert(ok === 1 && this.#view.getInt32(this.#scratch + at.outLength, true) === length);
  }

  /** AES-256-CTR from `from` to `to`, which may be the same place. */
  #crypt(iv: number, from: number, to: number, length: number): void {
    this.#startCtr(iv);
    this.#update(from, to, length);
  }

  #mac(iv: number, body: number, length: number, out: number): void {
    const f = this.#f;
    const ok = f.EVP_EncryptUpdate(
      this.#ecb,
      this.#own(at.polyKey + 16),
      this.#own(at.outLength),
      this.#address(iv),
      16,
    );
    assert(ok === 1);
    f.Poly1305_Init(this.#own(at.poly), this.#own(at.polyKey));
    f.Poly1305_Update(this.#own(at.poly), this.#address(body), BigInt(length));
    f.Poly1305_Final(this.#own(at.poly), this.#address(out));
  }

  #isAuthentic(offset: number, length: number): boolean {
    if (length < sealOverheadBytes) return false;
    const size = length - sealOverheadBytes;
    this.#mac(offset, offset + ivBytes, size, this.#scratch + at.mac);
    return this.#isEqual(this.#scratch + at.mac, offset + ivBytes + size, 16);
  }

  /** Compares without an early end. */
  #isEqual(a: number, b: number, length: number): boolean {
    let difference = 0;
    for (let i = 0; i < length; i++) difference |= this.#bytes[a + i]! ^ this.#bytes[b + i]!;
    return difference === 0;
  }
}
