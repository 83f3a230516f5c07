import { collect } from '#base';
import type { ReadOptions, Storage } from '#storage';
import { RepositoryError } from '../errors.ts';
import type { PackId } from '../format/ids.ts';
import { nameOf } from '../format/names.ts';
import { type MasterKey, open, sealOverheadBytes } from '../format/sealed.ts';
import { isLoss } from '../loss.ts';
import {
  type PackEntry,
  packEntrySizeMax,
  packHeaderSizeMax,
  packTrailerBytes,
  readPackHeader,
} from './pack-header.ts';

/** The headers of most packs fit into this, so that one request is enough. */
const guessedEntries = 128;
const guessedBytes = guessedEntries * packEntrySizeMax + sealOverheadBytes + packTrailerBytes;

/**
 * Reads the header of a pack in the storage. It is authentic, and its blobs fill the file; what they open to is not
 * looked at.
 * @returns undefined when the pack has no such header
 * @throws StorageError when that cannot be told
 */
export async function loadPackHeader(
  storage: Storage,
  key: MasterKey,
  pack: { id: PackId; sizeBytes: number },
  options: ReadOptions = {},
): Promise<PackEntry[] | undefined> {
  const { sizeBytes } = pack;
  const tailOf = (length: number): Promise<Uint8Array> =>
    collect(storage.read(nameOf('data', pack.id), { offset: sizeBytes - length, length }, options));
  try {
    let tail = await tailOf(Math.min(sizeBytes, guessedBytes));
    const headerBytes = sealedBytesOf(tail);
    if (headerBytes === undefined || headerBytes + packTrailerBytes > sizeBytes) return undefined;
    if (headerBytes + packTrailerBytes > tail.length) tail = await tailOf(headerBytes + packTrailerBytes);
    const end = tail.length - packTrailerBytes;
    const entries = readPackHeader(open(key, tail.subarray(end - headerBytes, end)));
    const bodyBytes = entries?.reduce((sum, { length }) => sum + length, 0);
    return bodyBytes === sizeBytes - headerBytes - packTrailerBytes ? entries : undefined;
  } catch (error) {
    if (error instanceof RepositoryError || isLoss(error)) return undefined;
    throw error;
  }
}

/** Length of the sealed header, which the last bytes of a pack state; undefined when it is impossible. */
function sealedBytesOf(tail: Uint8Array): number | undefined {
  if (tail.length < packTrailerBytes) return undefined;
  const view = new DataView(tail.buffer, tail.byteOffset, tail.length);
  const bytes = view.getUint32(tail.length - packTrailerBytes, true);
  return bytes > sealOverheadBytes && bytes <= packHeaderSizeMax ? bytes : undefined;
}
