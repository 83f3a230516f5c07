import { constants } from 'node:zlib';
import type { Random } from '#base';
import type { MasterKey } from '../format/sealed.ts';

/** Bytes that every sealed unit adds: 16 of IV before, 16 of MAC behind. */
export const sealOverheadBytes = 32;

/** What `seal` may make larger at the worst: zstd's bound plus the overhead. */
export function sealedSizeMax(plainLength: number): number {
  return plainLength + (plainLength >> 8) + 512 + sealOverheadBytes;
}

/** zstd's level as restic's `--compression`: auto is 3; off stores the bytes as they are. */
export type CompressionMode = 'auto' | 'fastest' | 'better' | 'max' | 'off';

const zstdLevels: Record<CompressionMode, number> = { auto: 3, fastest: 1, better: 7, max: 19, off: 0 };

/** Largest window of the frames we write, as restic's: 512 KiB. */
const zstdWindowLog = 19;

/**
 * Parameters of zstd (`ZSTD_cParameter` of zstd.h) for a mode. Level 3 looks into two tables of 768 KiB together; made
 * so small that they stay in a core's own cache, they take a quarter less time and lose 1 to 3 % (decision 0081).
 */
export function zstdParameters(mode: CompressionMode): (readonly [parameter: number, value: number])[] {
  const common = [
    [constants.ZSTD_c_compressionLevel, zstdLevels[mode]],
    [constants.ZSTD_c_windowLog, zstdWindowLog],
  ] as const;
  if (mode !== 'auto') return [...common];
  return [...common, [constants.ZSTD_c_hashLog, 15], [constants.ZSTD_c_chainLog, 14]];
}

export interface SealedSize {
  /** Length of the sealed unit, with the overhead. */
  length: number;
  /** Length of the plaintext when it was compressed, 0 when it was stored as it is. */
  uncompressedLength: number;
}

/** SHA-256 of a pack, taken while the pack is filled. */
export interface PackHash {
  update(offset: number, length: number): void;
  /** Hex of the digest; the hash starts anew. */
  digest(): string;
}

/**
 * The per-blob work, on bytes that lie in one shared memory; every argument is a byte offset in it.
 * One codec belongs to one thread. Two kinds exist, with the same results: calls into the node binary's own
 * OpenSSL and zstd, and node:crypto with node:zlib.
 */
export interface BlobCodec {
  readonly kind: 'native' | 'portable';
  /** SHA-256 of the bytes, written as 32 bytes at `out`. */
  hash(offset: number, length: number, out: number): void;
  /** Compresses (unless that saves nothing, or `compress` is false) and encrypts to `out`. */
  seal(offset: number, length: number, out: number, compress: 'always' | 'if-smaller' | 'never'): SealedSize;
  /**
   * Checks the MAC, decrypts and decompresses a sealed unit to `out`.
   * @returns the length of the plaintext, or -1 when the unit is damaged in any way
   */
  open(offset: number, length: number, uncompressedLength: number, out: number, capacity: number): number;
  /** Whether the sealed unit opens to bytes whose SHA-256 is the id at `id`. */
  verify(offset: number, length: number, uncompressedLength: number, id: number): boolean;
  /** A running hash; a codec has few of them, one for each open pack. */
  createPackHash(): PackHash;
  /** Frees what it holds outside the shared memory; it is not used afterwards. */
  close(): void;
}

/** Scratch memory that a codec needs for itself. */
export const codecScratchBytes = 512 * 1024;

export interface CodecOptions {
  memory: SharedArrayBuffer;
  /** Offset of `codecScratchBytes` bytes that belong to this codec alone. */
  scratch: number;
  key: MasterKey;
  random: Random;
  compression: CompressionMode;
}
