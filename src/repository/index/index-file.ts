import { formatGoTime, parseGoTime } from '../format/go-time.ts';
import { type BlobId, type PackId, parseId } from '../format/ids.ts';
import { countOf, isRecord, malformed, parseJson, recordOf } from '../format/json.ts';
import type { BlobType } from './blob-table.ts';

/** One blob as an index file lists it. */
export interface IndexBlob {
  id: BlobId;
  type: BlobType;
  /** Where the sealed unit begins in the pack, and its length. */
  offset: number;
  length: number;
  /** 0 when the blob is stored uncompressed. */
  uncompressedLength: number;
}

export interface IndexPack {
  id: PackId;
  blobs: readonly IndexBlob[];
  /** When the pack was made, or marked for deletion. rustic and we write it; restic does not know it. */
  timeMs?: number;
  /** Size of the pack file, where it is known. */
  sizeBytes?: number;
}

/**
 * What one index file says. All blobs of a pack are in one file.
 * Packs marked for deletion are rustic's addition: restic passes over them and takes them for unreferenced files.
 */
export interface IndexFile {
  packs: readonly IndexPack[];
  packsToDelete?: readonly IndexPack[];
}

/** The JSON of an index file (restic design.rst, Indexing; rustic_core's IndexFile). */
export function encodeIndex(index: IndexFile): Uint8Array {
  return joinIndex(index.packs.map(encodePack), (index.packsToDelete ?? []).map(encodePack));
}

/** The JSON of an index file from that of its packs. */
export function joinIndex(packs: readonly string[], packsToDelete: readonly string[]): Uint8Array {
  const toDelete = packsToDelete.length === 0 ? '' : `,"packs_to_delete":[${packsToDelete.join(',')}]`;
  return Buffer.from(`{"packs":[${packs.join(',')}]${toDelete}}\n`);
}

export function encodePack(pack: IndexPack): string {
  let json = `{"id":"${pack.id}","blobs":[${pack.blobs.map(encodeBlob).join(',')}]`;
  if (pack.timeMs !== undefined)
    json += `,"time":"${formatGoTime(BigInt(Math.floor(pack.timeMs)) * 1_000_000n)}"`;
  if (pack.sizeBytes !== undefined) json += `,"size":${pack.sizeBytes}`;
  return `${json}}`;
}

function encodeBlob({ id, type, offset, length, uncompressedLength }: IndexBlob): string {
  const place = `{"id":"${id}","type":"${type}","offset":${offset},"length":${length}`;
  return uncompressedLength === 0 ? `${place}}` : `${place},"uncompressed_length":${uncompressedLength}}`;
}

/**
 * Reads an index file of any writer and layout into objects. Large indexes are read with `scanIndex`.
 * @throws RepositoryError 'repository.damaged'
 */
export function decodeIndex(json: Uint8Array): Required<IndexFile> {
  const file = parseJson(json, 'an index');
  // The very first restic wrote the bare list.
  if (Array.isArray(file)) return { packs: decodePacks(file), packsToDelete: [] };
  const { packs, packs_to_delete: packsToDelete } = recordOf(file, 'an index');
  return { packs: decodePacks(packs), packsToDelete: decodePacks(packsToDelete) };
}

function decodePacks(list: unknown): IndexPack[] {
  return listOf(list).map((pack) => {
    const { id, blobs, time, size } = recordOf(pack, 'a pack in an index');
    return {
      id: parseId<PackId>(id, 'a pack in an index'),
      blobs: listOf(blobs).map(decodeBlob),
      ...(time == null ? {} : { timeMs: timeMsOf(time) }),
      ...(size == null ? {} : { sizeBytes: countOf(size, 'the size of a pack') }),
    };
  });
}

function decodeBlob(blob: unknown): IndexBlob {
  if (!isRecord(blob)) throw malformed('an index', 'a blob is no object');
  const { id, type, offset, length, uncompressed_length: uncompressedLength } = blob;
  if (type !== 'data' && type !== 'tree') throw malformed('an index', 'a blob is of an unknown type');
  return {
    id: parseId(id, 'a blob in an index'),
    type,
    offset: word(offset),
    length: word(length),
    uncompressedLength: word(uncompressedLength),
  };
}

/** Offsets and lengths are unsigned words of 32 bits. */
function word(value: unknown): number {
  const count = countOf(value, 'a place in an index');
  if (count > 0xffff_ffff) throw malformed('an index', 'a place lies beyond 4 GiB');
  return count;
}

/** Go writes null for an empty list. */
function listOf(value: unknown): unknown[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  throw malformed('an index', 'a list is missing');
}

/** The instant of a time in an index, in milliseconds. */
export function timeMsOf(text: unknown): number {
  return Number(parseGoTime(text).timeNs / 1_000_000n);
}
