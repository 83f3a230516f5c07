import assert from 'node:assert/strict';
import { readInto } from '#storage';
import { storeBlob } from '../backup/store-blob.ts';
import { WriteSession } from '../backup/write-session.ts';
import { slotOffset } from '../executor/arena.ts';
import { forEachAtOnce } from '../for-each-at-once.ts';
import { nameOf } from '../format/names.ts';
import { type BlobType, idWordsOfHex } from '../index/blob-table.ts';
import { type PackBlob, PackContents } from '../index/pack-contents.ts';
import { RepositoryIndex } from '../index/repository-index.ts';
import type { RepositoryLock } from '../lock/lock.ts';
import { isLoss } from '../loss.ts';
import { type PackRange, type PlacedBlob, plainLengthOf, planRanges } from '../read/pack-ranges.ts';
import type { Repository } from '../repository.ts';
import type { PrunePlan } from './plan-prune.ts';

export interface RepackRunOptions {
  packSizeBytes: number | undefined;
  /** Compress what is stored uncompressed. */
  compressPlain: boolean;
  /** Told the sealed bytes of what was copied. */
  onBytes: (count: number) => void;
  lock: RepositoryLock;
}

interface KeptBlob extends PlacedBlob {
  type: BlobType;
}

/**
 * Copies the used blobs of packs into new packs, as they are sealed; each is opened and compared with its id before
 * it is stored. Durable, index files included, when it resolves. Deletes nothing.
 * @throws RepositoryError 'repository.damaged' when no copy of a blob is whole
 */
export async function repackBlobs(
  repository: Repository,
  plan: PrunePlan,
  options: RepackRunOptions,
): Promise<void> {
  const context = await repository.writeContext(options.lock);
  // An index of its own, because in the repository's all these blobs are known already.
  const index = new RepositoryIndex(0);
  const { packSizeBytes } = options;
  const session = new WriteSession(
    { ...context, index },
    packSizeBytes === undefined ? {} : { packSizeBytes },
  );
  try {
    const repacker = new Repacker(repository, plan, session, options);
    await repacker.run();
    await session.flush();
    const { dataBlobs, treeBlobs } = session.counts;
    assert(dataBlobs + treeBlobs === repacker.blobCount, 'not every blob that is needed was copied');
  } catch (error) {
    const { signal } = options.lock;
    throw signal.aborted ? signal.reason : error;
  } finally {
    await session.close();
  }
}

class Repacker {
  readonly #repository: Repository;
  readonly #plan: PrunePlan;
  readonly #session: WriteSession;
  readonly #options: RepackRunOptions;
  readonly #contents: PackContents;
  /** Blobs that the new packs must hold. */
  blobCount = 0;

  constructor(repository: Repository, plan: PrunePlan, session: WriteSession, options: RepackRunOptions) {
    this.#repository = repository;
    this.#plan = plan;
    this.#session = session;
    this.#options = options;
    this.#contents = new PackContents(plan.index);
  }

  async run(): Promise<void> {
    await forEachAtOnce(this.#work(), this.#session.pool.layout.slots, async (work) => {
      this.#options.lock.signal.throwIfAborted();
      if ('blobs' in work) await this.#copyRange(work);
      else {
        await this.#storeAnew(work);
        this.#options.onBytes(work.place.length);
      }
    });
  }

  /** Ranges to be copied, and blobs that are stored anew: uncompressed ones, and those too large for a lane. */
  *#work(): Generator<PackRange<KeptBlob> | KeptBlob> {
    for (const pack of this.#plan.repack) {
      const kept = this.#keptBlobsOf(pack);
      this.blobCount += kept.length;
      const copied = kept.filter((blob) => !this.#mustCompress(blob));
      for (const type of ['tree', 'data'] as const) {
        const { ranges, huge } = planRanges(copied.filter((blob) => blob.type === type));
        yield* ranges;
        yield* huge;
      }
      yield* kept.filter((blob) => this.#mustCompress(blob));
    }
  }

  #keptBlobsOf(pack: number): KeptBlob[] {
    const kept = new Map<string, KeptBlob>();
    // By id, since the same blob may lie twice in one pack.
    for (const blob of this.#contents.blobsOf(pack))
      if (this.#isKept(blob)) kept.set(`${blob.type} ${blob.id}`, placed(blob));
    return [...kept.values()];
  }

  #isKept({ type, id, pack }: PackBlob): boolean {
    const { index, used, facts } = this.#plan;
    const slot = index.table.slot(type, idWordsOfHex(id));
    return used.hasSlot(slot) && facts.keeps(slot, pack);
  }

  #mustCompress({ type, place }: KeptBlob): boolean {
    return place.uncompressedLength === 0 && (type === 'tree' || this.#options.compressPlain);
  }

  /** @param range blobs of one type */
  async #copyRange(range: PackRange<KeptBlob>): Promise<void> {
    const { pool } = this.#session;
    const slot = await pool.slots.acquire();
    let damaged = range.blobs;
    try {
      const at = slotOffset(pool.layout, slot);
      if (await this.#fetch(range, at)) damaged = await this.#copyBlobs(range, at - range.offset);
    } finally {
      pool.slots.release(slot);
    }
    for (const blob of damaged) await this.#storeAnew(blob);
    this.#options.onBytes(range.blobs.reduce((sum, { place }) => sum + place.length, 0));
  }

  /** Returns the blobs that do not open. @param packAt where the pack would begin in the arena */
  async #copyBlobs(range: PackRange<KeptBlob>, packAt: number): Promise<KeptBlob[]> {
    const { type } = range.blobs[0]!;
    const blobs = range.blobs.map(({ id, place: { offset, length, uncompressedLength } }) => {
      return { id, offset: packAt + offset, length, uncompressedLength };
    });
    const failed = await this.#session.pool.run({ kind: 'copy', type, blobs }, blobs.length);
    return failed.map((i) => range.blobs[i]!);
  }

  /** Returns whether the range is there. */
  async #fetch(range: PackRange<KeptBlob>, at: number): Promise<boolean> {
    const { signal } = this.#options.lock;
    const name = nameOf('data', this.#plan.index.packs.idOf(range.pack));
    try {
      const target = this.#session.pool.bytes.subarray(at, at + range.length);
      await readInto(this.#repository.storage, name, { range, target, signal });
      return true;
    } catch (error) {
      if (isLoss(error)) return false;
      throw error;
    }
  }

  /** Stores a blob from the first copy that is whole. */
  async #storeAnew({ type, id }: KeptBlob): Promise<void> {
    const reader = await this.#repository.blobReader();
    await storeBlob(this.#session, type, await reader.read(type, id, this.#options.lock.signal), id);
  }
}

function placed({ type, id, ...place }: PackBlob): KeptBlob {
  return { type, id, place, plainLength: plainLengthOf(place) };
}
