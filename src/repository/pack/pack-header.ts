import type { BlobType } from '../index/blob-table.ts';

/**
 * One entry of a pack's header (restic design.rst, Pack Format): type byte, sealed length u32 LE,
 * for compressed blobs the plaintext length u32 LE, id 32 bytes.
 */
export interface PackEntry {
  type: BlobType;
  /** Offset in the pack: the sum of the lengths before. */
  offset: number;
  length: number;
  /** 0 when stored uncompressed. */
  uncompressedLength: number;
  /** 32 bytes. */
  id: Uint8Array;
}

export const packEntrySizeMax = 41;
/** The header's sealed length stands behind it, u32 LE. */
export const packTrailerBytes = 4;
/** Restic refuses longer headers. */
export const packHeaderSizeMax = 16 * 1024 * 1024;

/** Writes one entry at `at` and returns its size. */
export function writePackEntry(
  view: DataView,
  at: number,
  entry: { type: BlobType; length: number; uncompressedLength: number },
  id: Uint8Array,
): number {
  const compressed = entry.uncompressedLength !== 0;
  view.setUint8(at, (compressed ? 2 : 0) + (entry.type === 'tree' ? 1 : 0));
  view.setUint32(at + 1, entry.length, true);
  if (compressed) view.setUint32(at + 5, entry.uncompressedLength, true);
  const idAt = at + (compressed ? 9 : 5);
  for (let i = 0; i < 32; i++) view.setUint8(idAt + i, id[i]!);
  return compressed ? 41 : 37;
}

/** Reads the plaintext of a header, or returns undefined when it is not one. */
export function readPackHeader(bytes: Uint8Array): PackEntry[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: PackEntry[] = [];
  let offset = 0;
  for (let at = 0; at < bytes.length; ) {
    const code = view.getUint8(at);
    const compressed = code >= 2;
    const size = compressed ? 41 : 37;
    if (code > 3 || at + size > bytes.length) return undefined;
    const length = view.getUint32(at + 1, true);
    entries.push({
      type: code % 2 === 1 ? 'tree' : 'data',
      offset,
      length,
      uncompressedLength: compressed ? view.getUint32(at + 5, true) : 0,
      id: bytes.slice(at + size - 32, at + size),
    });
    offset += length;
    at += size;
  }
  return entries;
}
