import { toHex } from '#base';
import { storeBlob } from '../backup/store-blob.ts';
import { type StoredCounts, WriteSession } from '../backup/write-session.ts';
import type { BlobId, PackId } from '../format/ids.ts';
import { nameOf } from '../format/names.ts';
import { type BlobLocation, type BlobType, hexOfWords, idWordsOfHex } from '../index/blob-table.ts';
import { RepositoryIndex } from '../index/repository-index.ts';
import { rewriteIndex } from '../index/rewrite-index.ts';
import type { RepositoryLock } from '../lock/lock.ts';
import { loadPackHeader } from '../pack/load-pack-header.ts';
import type { PackEntry } from '../pack/pack-header.ts';
import { BlobReader } from '../read/blob-reader.ts';
import type { Repository } from '../repository.ts';
import { fatesWithout } from './fates.ts';
import { readFromAny } from './read-from-any.ts';

export interface RepairPacksOptions {
  /** A repository with copies of the same snapshots: asked for blobs that do not open here. */
  from?: Repository | undefined;
  onProgress?: (progress: RepairPacksProgress) => void;
  signal?: AbortSignal;
}

interface RepairPacksProgress {
  packsTotal: number;
  packsDone: number;
}

export interface RepairPacksReport {
  /** Were emptied of what opens, and deleted. One of which nothing is known, not even by its own header, stays. */
  packs: PackId[];
  /** Blobs that were written anew. */
  saved: number;
  /** Of these, the ones that came from the second repository. */
  savedFromCopy: number;
  /** Blobs of which no copy opens: `repairSnapshots` takes them out of the snapshots. */
  lost: { type: BlobType; id: BlobId }[];
  counts: StoredCounts;
}

/**
 * Saves what opens of damaged or missing packs: writes it anew, takes the packs out of the index, and only then deletes
 * them; under an exclusive lock. Interrupted, it can be run again.
 * @param packs ids as a check names them
 */
export async function repairPacks(
  repository: Repository,
  packs: readonly PackId[],
  options: RepairPacksOptions = {},
): Promise<RepairPacksReport> {
  await using lock = await repository.lock({ exclusive: true, signal: options.signal });
  await using _copyLock = await options.from?.lock({ exclusive: false, signal: lock.signal });
  const index = await repository.index();
  // An index of its own, which knows nothing: whatever is saved is written, whether the old index lists it or not.
  const context = { ...(await repository.writeContext(lock)), index: new RepositoryIndex(0) };
  const session = new WriteSession(context);
  try {
    const repair = new PackRepair({ repository, index, session, from: options.from, lock });
    const report = await repair.save(new Set(packs), options.onProgress);
    await session.flush();
    await repair.remove(report.packs);
    return report;
  } catch (error) {
    throw lock.signal.aborted ? lock.signal.reason : error;
  } finally {
    await session.close();
    repository.forgetIndex();
  }
}

interface Blob {
  type: BlobType;
  id: BlobId;
}

class PackRepair {
  readonly #repository: Repository;
  readonly #index: RepositoryIndex;
  readonly #session: WriteSession;
  readonly #from: Repository | undefined;
  readonly #lock: RepositoryLock;

  constructor(parts: {
    repository: Repository;
    index: RepositoryIndex;
    session: WriteSession;
    from: Repository | undefined;
    lock: RepositoryLock;
  }) {
    this.#repository = parts.repository;
    this.#index = parts.index;
    this.#session = parts.session;
    this.#from = parts.from;
    this.#lock = parts.lock;
  }

  /** Writes anew what is in these packs and nowhere else. */
  async save(
    packs: ReadonlySet<PackId>,
    onProgress: RepairPacksOptions['onProgress'],
  ): Promise<RepairPacksReport> {
    const progress = { packsTotal: packs.size, packsDone: 0 };
    const report: RepairPacksReport = {
      packs: [],
      saved: 0,
      savedFromCopy: 0,
      lost: [],
      counts: this.#session.counts,
    };
    onProgress?.(progress);
    const { blobs, damaged, known } = await this.#blobsOf(packs);
    report.packs.push(...known);
    const sound = this.#otherCopies(blobs.values(), packs, damaged);
    const here = [this.#readerOf(sound)];
    const broken = [this.#readerOf(damaged)];
    const there = [await this.#from?.blobReader()];
    for (const blob of blobs.values()) {
      this.#lock.signal.throwIfAborted();
      if (await readFromAny(here, blob, this.#lock.signal)) continue;
      const salvaged = await readFromAny(broken, blob, this.#lock.signal);
      const plain = salvaged ?? (await readFromAny(there, blob, this.#lock.signal));
      if (!plain) {
        report.lost.push(blob);
        continue;
      }
      await storeBlob(this.#session, blob.type, plain, blob.id);
      report.saved++;
      if (!salvaged) report.savedFromCopy++;
    }
    progress.packsDone = packs.size;
    onProgress?.(progress);
    return report;
  }

  /** Takes the packs out of the index, then deletes them. What was saved is durable. */
  async remove(packs: readonly PackId[]): Promise<void> {
    const { unpacked, storage } = this.#repository;
    const numbers = packs.map((id) => this.#index.packs.numberOf(Buffer.from(id, 'hex')));
    const fateOf = fatesWithout(this.#index, new Set(numbers));
    const { signal } = this.#lock;
    await this.#lock.assertHeld();
    const { obsolete } = await rewriteIndex({ unpacked, index: this.#index, fateOf, lock: this.#lock });
    for (const id of obsolete) {
      await this.#lock.assertHeld();
      await unpacked.delete('index', id, { signal });
    }
    for (const id of packs) {
      await this.#lock.assertHeld();
      await storage.delete(nameOf('data', id), { signal });
    }
  }

  /** What the packs hold by the index or by their own headers (which differ when files were swapped). */
  async #blobsOf(
    packs: ReadonlySet<PackId>,
  ): Promise<{ blobs: Map<string, Blob>; damaged: RepositoryIndex; known: Set<PackId> }> {
    const blobs = new Map<string, Blob>();
    const damaged = new RepositoryIndex(0);
    const known = new Set<PackId>();
    const numbers = new Map<number, number>();
    for (const id of packs) {
      const number = this.#index.packs.numberOf(Buffer.from(id, 'hex'));
      if (number < 0) continue;
      numbers.set(number, damaged.addPack(id));
      known.add(id);
    }
    const add = (type: BlobType, id: BlobId, place: BlobLocation): void => {
      blobs.set(`${type} ${id}`, { type, id });
      addTo(damaged, { type, id }, place);
    };
    this.#index.forEachCopy((type, words, place) => {
      const pack = numbers.get(place.pack);
      if (pack !== undefined) add(type, hexOfWords(words) as BlobId, { ...place, pack });
    });
    for (const id of packs) {
      for (const entry of await this.#headerOf(id)) {
        add(entry.type, toHex(entry.id) as BlobId, { ...entry, pack: damaged.addPack(id) });
        known.add(id);
      }
    }
    return { blobs, damaged, known };
  }

  async #headerOf(id: PackId): Promise<PackEntry[]> {
    const { storage, key } = this.#repository;
    const file = await storage.stat(nameOf('data', id), { signal: this.#lock.signal });
    if (!file) return [];
    const { sizeBytes } = file;
    return (await loadPackHeader(storage, key.key, { id, sizeBytes }, { signal: this.#lock.signal })) ?? [];
  }

  /** Copies in packs that stay. Those in packs marked for deletion are added to the ones to be saved from. */
  #otherCopies(blobs: Iterable<Blob>, packs: ReadonlySet<PackId>, damaged: RepositoryIndex): RepositoryIndex {
    const sound = new RepositoryIndex(0);
    for (const blob of blobs) {
      for (const place of this.#index.places(blob.type, blob.id)) {
        const id = this.#index.packs.idOf(place.pack);
        if (packs.has(id)) continue;
        const index = this.#index.isLive(place.pack) ? sound : damaged;
        addTo(index, blob, { ...place, pack: index.addPack(id) });
      }
    }
    return sound;
  }

  #readerOf(index: RepositoryIndex): BlobReader {
    return new BlobReader(this.#repository.storage, index, this.#repository.key.key);
  }
}

function addTo(index: RepositoryIndex, { type, id }: Blob, place: BlobLocation): void {
  const { pack, offset, length, uncompressedLength } = place;
  index.addBlob(type, idWordsOfHex(id), pack, offset, length, uncompressedLength);
}
