import type { BlobId, PackId } from '../format/ids.ts';
import { idOf } from '../format/ids.ts';
import { nameOf } from '../format/names.ts';
import { seal } from '../format/sealed.ts';
import type { BlobType } from '../index/blob-table.ts';
import { encodeIndex, type IndexBlob, type IndexPack } from '../index/index-file.ts';
import { packEntrySizeMax, writePackEntry } from '../pack/pack-header.ts';
import type { Repository } from '../repository.ts';

export interface HandmadeBlob {
  type: BlobType;
  plain: Uint8Array | string;
  /** Another id than that of the plain bytes: the blob is damaged. */
  id?: BlobId;
}

/** Stores blobs uncompressed in one pack, also as no sound writer would. Tells what an index should say of it. */
export async function storePack(repository: Repository, blobs: readonly HandmadeBlob[]): Promise<IndexPack> {
  const { key } = repository.key;
  const { random, storage } = repository;
  const header = new Uint8Array(blobs.length * packEntrySizeMax);
  const parts: Uint8Array[] = [];
  const entries: IndexBlob[] = [];
  let headerSize = 0;
  let offset = 0;
  for (const { type, plain, id } of blobs) {
    const bytes = Buffer.from(plain);
    const sealed = seal(key, bytes, random);
    const entry = {
      id: id ?? idOf<BlobId>(bytes),
      type,
      offset,
      length: sealed.length,
      uncompressedLength: 0,
    };
    const view = new DataView(header.buffer);
    headerSize += writePackEntry(view, headerSize, entry, Buffer.from(entry.id, 'hex'));
    parts.push(sealed);
    entries.push(entry);
    offset += sealed.length;
  }
  const sealedHeader = seal(key, header.subarray(0, headerSize), random);
  const trailer = Buffer.alloc(4);
  trailer.writeUInt32LE(sealedHeader.length);
  const pack = Buffer.concat([...parts, sealedHeader, trailer]);
  const id = idOf<PackId>(pack);
  await storage.write(nameOf('data', id), pack);
  return { id, blobs: entries };
}

/** Stores an index file about these packs. */
export async function storeIndex(
  repository: Repository,
  packs: readonly IndexPack[],
  marked: readonly IndexPack[] = [],
) {
  repository.forgetIndex();
  return repository.unpacked.save('index', encodeIndex({ packs, packsToDelete: marked }));
}
