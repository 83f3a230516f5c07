import { hash } from 'node:crypto';
import type { Random } from '#base';
import { RepositoryError } from '../errors.ts';
import type { BlobId, PackId } from '../format/ids.ts';
import { type MasterKey, open, seal } from '../format/sealed.ts';
import { compress, decompress } from '../format/zstd.ts';
import type { BlobType } from '../index/blob-table.ts';
import { type PackEntry, packEntrySizeMax, packTrailerBytes, writePackEntry } from './pack-header.ts';

export interface SinglePack {
  id: PackId;
  bytes: Uint8Array;
  entry: PackEntry;
}

/** A pack with one blob that is too large for the lanes' memory (the tree of a folder with very many entries). */
export function buildSinglePack(
  key: MasterKey,
  type: BlobType,
  id: BlobId,
  plain: Uint8Array,
  random: Random,
): SinglePack {
  const body = seal(key, compress(plain), random);
  const reopened = decompress(open(key, body), plain.length);
  if (hash('sha256', reopened, 'hex') !== id) {
    throw new RepositoryError('repository.internal', 'a sealed blob did not open to the same bytes', {
      hint: 'The memory or the processor of this machine may be faulty. Test it before the next backup.',
    });
  }
  const entry = {
    type,
    offset: 0,
    length: body.length,
    uncompressedLength: plain.length,
    id: Buffer.from(id, 'hex'),
  };
  const headerPlain = new Uint8Array(packEntrySizeMax);
  const headerSize = writePackEntry(new DataView(headerPlain.buffer), 0, entry, entry.id);
  const header = seal(key, headerPlain.subarray(0, headerSize), random);
  const trailer = Buffer.alloc(packTrailerBytes);
  trailer.writeUInt32LE(header.length);
  const bytes = Buffer.concat([body, header, trailer]);
  return { id: hash('sha256', bytes, 'hex') as PackId, bytes, entry };
}
