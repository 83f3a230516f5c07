import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { messageOf } from '#base';
import { RepositoryError } from '../errors.ts';

/** restic's window: 512 KiB. A larger one would cost its readers memory. */
const windowLogMax = 19;
const defaultLevel = 3;
const smallestChunkBytes = 64;

/** One zstd frame with its content size and without a checksum: the sealed unit around it has a MAC. */
export function compress(plain: Uint8Array, level: number = defaultLevel): Uint8Array {
  return zstdCompressSync(plain, {
    // One piece of output: node:zlib works by pieces of 64 KiB otherwise and is 40 % slower.
    chunkSize: plain.length + (plain.length >> 7) + 128,
    params: {
      [constants.ZSTD_c_compressionLevel]: level,
      [constants.ZSTD_c_windowLog]: windowLogMax,
      [constants.ZSTD_c_checksumFlag]: 0,
    },
  });
}

/**
 * Plain bytes of a zstd frame, with or without content size, of any window.
 * @param maxBytes more output than this is refused, so that a bomb cannot exhaust the memory
 * @throws RepositoryError 'repository.damaged'
 */
export function decompress(frame: Uint8Array, maxBytes: number): Uint8Array {
  const expected = Math.min(contentSizeOf(frame) ?? frame.length * 4, maxBytes);
  try {
    const plain = zstdDecompressSync(frame, {
      chunkSize: Math.max(expected + 1, smallestChunkBytes),
      maxOutputLength: Math.max(maxBytes, 1),
    });
    if (plain.length > maxBytes) throw new RangeError(`it holds more than ${maxBytes} bytes`);
    return plain;
  } catch (cause) {
    throw new RepositoryError(
      'repository.damaged',
      `cannot decompress ${frame.length} bytes: ${messageOf(cause)}`,
      {
        hint: 'Run `holdfast check --read-data` to see what else is damaged.',
        cause,
      },
    );
  }
}

/** The content size that a frame header states, if it does (RFC 8878, 3.1.1.1). */
function contentSizeOf(frame: Uint8Array): number | undefined {
  if (frame.length < 14) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const descriptor = view.getUint8(4);
  const hasSingleSegment = (descriptor & 0x20) !== 0;
  const dictionaryIdBytes = [0, 1, 2, 4][descriptor & 3]!;
  const at = 5 + (hasSingleSegment ? 0 : 1) + dictionaryIdBytes;
  switch (descriptor >> 6) {
    case 0:
      return hasSingleSegment ? view.getUint8(at) : undefined;
    case 1:
      return view.getUint16(at, true) + 256;
    case 2:
      return view.getUint32(at, true);
    default:
      return undefined;
  }
}
