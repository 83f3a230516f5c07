import { toHex } from '#base';
import { sizesByIndex } from '../check/check-packs.ts';
import { forEachAtOnce } from '../for-each-at-once.ts';
import type { IndexId, PackId } from '../format/ids.ts';
import { nameOf } from '../format/names.ts';
import { type BlobLocation, type BlobType, hexOfWords } from '../index/blob-table.ts';
import { IndexWriter } from '../index/index-writer.ts';
import { loadIndex } from '../index/load-index.ts';
import type { RepositoryIndex } from '../index/repository-index.ts';
import { rewriteIndex } from '../index/rewrite-index.ts';
import { headerReadersMax } from '../index/unlisted-packs.ts';
import type { RepositoryLock } from '../lock/lock.ts';
import { isLoss } from '../loss.ts';
import { loadPackHeader } from '../pack/load-pack-header.ts';
import type { PackEntry } from '../pack/pack-header.ts';
import type { Repository } from '../repository.ts';
import { listStored, type StoredFile } from '../unpacked-raw.ts';
import { fatesWithout } from './fates.ts';

export interface RepairIndexOptions {
  /** Read the header of every pack, not only where index and storage disagree. */
  readAllPacks?: boolean;
  onProgress?: (progress: RepairIndexProgress) => void;
  signal?: AbortSignal;
}

interface RepairIndexProgress {
  /** Packs whose header is to be read. */
  packsTotal: number;
  packsDone: number;
}

export interface RepairIndexReport {
  /** Were in the storage and in no readable index file. */
  packsAdded: PackId[];
  /** Were in the index and not in the storage. */
  packsDropped: PackId[];
  /** Their entries in the index were wrong; now they say what the header of the pack says. */
  packsCorrected: PackId[];
  /** Have no readable header: left as they are, for `repairPacks`. */
  packsDamaged: PackId[];
  /** Index files that could not be read, and are gone. */
  indexFilesRemoved: IndexId[];
}

/**
 * Makes the index say what the packs in the storage hold, under an exclusive lock. Packs that are marked for deletion
 * stay marked. New index files are durable before old ones are deleted; interrupted, it can be run again.
 */
export async function repairIndex(
  repository: Repository,
  options: RepairIndexOptions = {},
): Promise<RepairIndexReport> {
  await using lock = await repository.lock({ exclusive: true, signal: options.signal });
  try {
    return await new IndexRepair(repository, options, lock).run();
  } catch (error) {
    throw lock.signal.aborted ? lock.signal.reason : error;
  } finally {
    repository.forgetIndex();
  }
}

class IndexRepair {
  readonly #repository: Repository;
  readonly #options: RepairIndexOptions;
  readonly #lock: RepositoryLock;
  readonly #report: RepairIndexReport = {
    packsAdded: [],
    packsDropped: [],
    packsCorrected: [],
    packsDamaged: [],
    indexFilesRemoved: [],
  };

  constructor(repository: Repository, options: RepairIndexOptions, lock: RepositoryLock) {
    this.#repository = repository;
    this.#options = options;
    this.#lock = lock;
  }

  async run(): Promise<RepairIndexReport> {
    const { unpacked } = this.#repository;
    const report = this.#report;
    const { index } = await loadIndex(unpacked, {
      signal: this.#lock.signal,
      onDamaged: (id, error) => {
        if (!isLoss(error)) throw error;
        report.indexFilesRemoved.push(id);
      },
    });
    // The packs after the index: what the index files say was durable before.
    const present = await this.#listPacks();
    const numbers = await this.#dropMissing(index, present);
    const unsure = findUnsure(index, present, this.#options.readAllPacks ?? false);
    const headers = await this.#readHeaders(index, unsure, numbers);
    await this.#writeIndex(index, headers, numbers);
    return report;
  }

  async #listPacks(): Promise<Map<PackId, StoredFile<PackId>>> {
    const packs = new Map<PackId, StoredFile<PackId>>();
    const { storage } = this.#repository;
    for await (const file of listStored(storage, 'data', { signal: this.#lock.signal }))
      packs.set(file.id, file);
    return packs;
  }

  /**
   * Asks for each pack that the listing does not show: it may be younger than the listing.
   * @returns numbers of packs whose entries must go
   */
  async #dropMissing(index: RepositoryIndex, present: Map<PackId, StoredFile<PackId>>): Promise<Set<number>> {
    const dropped = new Set<number>();
    for (let pack = 0; pack < index.packs.count; pack++) {
      const id = index.packs.idOf(pack);
      if (present.has(id)) continue;
      const file = await this.#repository.storage.stat(nameOf('data', id), { signal: this.#lock.signal });
      if (file) {
        present.set(id, { id, sizeBytes: file.sizeBytes });
        continue;
      }
      dropped.add(pack);
      this.#report.packsDropped.push(id);
    }
    return dropped;
  }

  /** Reads headers and sorts the packs; those whose entries must be replaced are added to `dropped`. */
  async #readHeaders(
    index: RepositoryIndex,
    packs: readonly StoredFile<PackId>[],
    dropped: Set<number>,
  ): Promise<Map<PackId, StoredHeader>> {
    const progress = { packsTotal: packs.length, packsDone: 0 };
    this.#options.onProgress?.(progress);
    const indexed = entriesOf(index, packs);
    const headers = new Map<PackId, StoredHeader>();
    await forEachAtOnce(packs, headerReadersMax, async (pack) => {
      this.#lock.signal.throwIfAborted();
      const { storage, key } = this.#repository;
      const entries = await loadPackHeader(storage, key.key, pack, { signal: this.#lock.signal });
      progress.packsDone++;
      const number = index.packs.numberOf(Buffer.from(pack.id, 'hex'));
      if (!entries) {
        this.#report.packsDamaged.push(pack.id);
      } else if (number < 0) {
        headers.set(pack.id, { ...pack, entries });
        this.#report.packsAdded.push(pack.id);
      } else if (index.isRepeated(number) || !isSame(indexed.get(number)!, entries)) {
        headers.set(pack.id, { ...pack, entries });
        dropped.add(number);
        this.#report.packsCorrected.push(pack.id);
      }
    });
    return headers;
  }

  async #writeIndex(
    index: RepositoryIndex,
    headers: ReadonlyMap<PackId, StoredHeader>,
    dropped: ReadonlySet<number>,
  ): Promise<void> {
    const { unpacked, clock } = this.#repository;
    const damaged = new Set(this.#report.indexFilesRemoved);
    const fateOf = fatesWithout(index, dropped);
    // First what stays is written anew without what is wrong, then what was wrong; the other way round the rewriting
    // would take the new entries for wrong ones.
    await this.#lock.assertHeld();
    const { obsolete } = await rewriteIndex({
      unpacked,
      index,
      fateOf,
      passOver: damaged,
      lock: this.#lock,
    });
    const writer = new IndexWriter({
      unpacked,
      clock,
      onSaved: () => {},
      lock: this.#lock,
      signal: this.#lock.signal,
    });
    for (const { id, sizeBytes, entries } of headers.values())
      writer.add({ id, sizeBytes, entries, type: entries[0]?.type ?? 'data' });
    await writer.flush();
    for (const id of [...obsolete, ...damaged]) {
      await this.#lock.assertHeld();
      await unpacked.delete('index', id, { signal: this.#lock.signal });
    }
  }
}

interface StoredHeader extends StoredFile<PackId> {
  entries: PackEntry[];
}

/** Packs that no index file lists, that several list, or that are not as long as what the index lists of them. */
function findUnsure(
  index: RepositoryIndex,
  present: ReadonlyMap<PackId, StoredFile<PackId>>,
  all: boolean,
): StoredFile<PackId>[] {
  const expected = sizesByIndex(index);
  return [...present.values()].filter(({ id, sizeBytes }) => {
    const number = index.packs.numberOf(Buffer.from(id, 'hex'));
    if (number < 0) return true;
    return index.isLive(number) && (all || index.isRepeated(number) || expected(number) !== sizeBytes);
  });
}

type IndexedBlob = BlobLocation & { type: BlobType; id: string };

/** What the index lists of these packs, by their numbers. */
function entriesOf(
  index: RepositoryIndex,
  packs: readonly StoredFile<PackId>[],
): ReadonlyMap<number, IndexedBlob[]> {
  const numbers = packs.map(({ id }) => index.packs.numberOf(Buffer.from(id, 'hex')));
  const entries = new Map(numbers.map((number): [number, IndexedBlob[]] => [number, []]));
  index.forEachCopy((type, id, place) =>
    entries.get(place.pack)?.push({ ...place, type, id: hexOfWords(id) }),
  );
  return entries;
}

function isSame(indexed: IndexedBlob[], entries: readonly PackEntry[]): boolean {
  if (indexed.length !== entries.length) return false;
  indexed.sort((a, b) => a.offset - b.offset);
  return entries.every(({ type, id, offset, length, uncompressedLength }, i) => {
    const other = indexed[i]!;
    return (
      other.type === type &&
      other.id === toHex(id) &&
      other.offset === offset &&
      other.length === length &&
      other.uncompressedLength === uncompressedLength
    );
  });
}
