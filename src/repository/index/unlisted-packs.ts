import type { ReadOptions, Storage } from '#storage';
import { forEachAtOnce } from '../for-each-at-once.ts';
import type { PackId } from '../format/ids.ts';
import type { MasterKey } from '../format/sealed.ts';
import { loadPackHeader } from '../pack/load-pack-header.ts';
import { listStored, type StoredFile } from '../unpacked-raw.ts';
import { idWords } from './blob-table.ts';
import type { RepositoryIndex } from './repository-index.ts';

/** Headers that are read at once: the storage's latency overlaps. */
export const headerReadersMax = 8;

/** Enters what packs say that no index file lists, in memory only: a reader gets through although an index file is lost. */
export async function addUnlistedPacks(
  { storage, key }: { storage: Storage; key: MasterKey },
  index: RepositoryIndex,
  options: ReadOptions = {},
): Promise<void> {
  const unlisted: StoredFile<PackId>[] = [];
  for await (const file of listStored(storage, 'data', options))
    if (index.packs.numberOf(Buffer.from(file.id, 'hex')) < 0) unlisted.push(file);
  await forEachAtOnce(unlisted, headerReadersMax, async (file) => {
    const entries = await loadPackHeader(storage, key, file, options);
    if (!entries) return;
    const pack = index.addPack(file.id);
    for (const { type, id, offset, length, uncompressedLength } of entries)
      index.addBlob(type, idWords(id), pack, offset, length, uncompressedLength);
  });
}
