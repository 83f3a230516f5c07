import { StorageError } from '#storage';
import { forEachAtOnce } from '../for-each-at-once.ts';
import type { PackId } from '../format/ids.ts';
import { nameOf } from '../format/names.ts';
import { rewriteIndex } from '../index/rewrite-index.ts';
import type { RepositoryLock } from '../lock/lock.ts';
import { removeUnfinished } from '../remove-unfinished.ts';
import type { Repository } from '../repository.ts';
import type { RepackOptions } from './choose-repack.ts';
import { type PrunePlan, planPrune } from './plan-prune.ts';
import { note, type PruneReport } from './prune-report.ts';
import { repackBlobs } from './repack.ts';

export interface PruneOptions extends Partial<RepackOptions> {
  /**
   * How long a pack stays marked before a later prune deletes it: longer than any writer may be cut off and come back.
   * A day by default. 0 deletes at once, as restic does; then no other program may write meanwhile.
   */
  graceMs?: number;
  /** Size of new packs. */
  packSizeBytes?: number;
  /** Find out what would be done, and change nothing. */
  dryRun?: boolean;
  onProgress?: (progress: PruneProgress) => void;
  signal?: AbortSignal;
}

interface PruneProgress {
  phase: 'index' | 'trees' | 'repack' | 'rewrite' | 'delete';
  snapshotsTotal: number;
  treesDone: number;
  repackBytesTotal: number;
  repackBytesDone: number;
  packsTotal: number;
  packsDeleted: number;
}

export type { PruneReport };

const dayMs = 86_400_000;
/** Restic's smallest pack, and how far a pack may stay below. */
const smallPackBytes = 0.8 * 4 * 1024 * 1024;
const deletersMax = 16;

/**
 * Frees the space of blobs that no snapshot needs, under an exclusive lock. Packs without users are marked and deleted
 * by a later prune; marked packs that are needed again are taken back. Packs that are partly used are copied from, as
 * far as `maxUnused` asks for it. Interrupted after any step the repository is whole, and the next prune goes on.
 * @throws RepositoryError 'repository.damaged', 'repository.incomplete' before anything was changed, when something
 * that is needed is not there
 */
export async function pruneRepository(
  repository: Repository,
  options: PruneOptions = {},
): Promise<PruneReport> {
  const { dryRun = false } = options;
  await using lock = await repository.lock({ exclusive: !dryRun, signal: options.signal });
  const run = new PruneRun(repository, lock, options);
  // Awaited here: the lock goes when this function returns.
  return await (dryRun ? run.plan() : run.execute());
}

class PruneRun {
  readonly #repository: Repository;
  readonly #lock: RepositoryLock;
  readonly #options: PruneOptions;
  readonly #repackOptions: RepackOptions;
  readonly #progress: PruneProgress = {
    phase: 'index',
    snapshotsTotal: 0,
    treesDone: 0,
    repackBytesTotal: 0,
    repackBytesDone: 0,
    packsTotal: 0,
    packsDeleted: 0,
  };

  constructor(repository: Repository, lock: RepositoryLock, options: PruneOptions) {
    this.#repository = repository;
    this.#lock = lock;
    this.#options = options;
    this.#repackOptions = {
      maxUnused: options.maxUnused ?? { percent: 5 },
      maxRepackSizeBytes: options.maxRepackSizeBytes ?? Number.POSITIVE_INFINITY,
      repackSmallerThanBytes: options.repackSmallerThanBytes ?? smallPackBytes,
      repackUncompressed: options.repackUncompressed ?? false,
    };
  }

  async plan(): Promise<PruneReport> {
    return { ...(await this.#plan()).report, isDryRun: true };
  }

  async execute(): Promise<PruneReport> {
    const repository = this.#repository;
    try {
      const plan = await this.#plan();
      await this.#repack(plan);
      await this.#rewriteIndex(plan);
      return await this.#delete(plan);
    } finally {
      repository.forgetIndex();
    }
  }

  async #plan(): Promise<PrunePlan> {
    this.#tell({ phase: 'index' });
    return planPrune(this.#repository, {
      ...this.#repackOptions,
      graceMs: this.#options.graceMs ?? dayMs,
      onSnapshots: (count) => this.#tell({ phase: 'trees', snapshotsTotal: count }),
      onTree: () => this.#tell({ treesDone: this.#progress.treesDone + 1 }),
      signal: this.#lock.signal,
    });
  }

  async #repack(plan: PrunePlan): Promise<void> {
    if (plan.repack.length === 0) return;
    const total = plan.repack.reduce((sum, pack) => sum + plan.facts.usedBytes[pack]!, 0);
    this.#tell({ phase: 'repack', repackBytesTotal: total });
    await repackBlobs(this.#repository, plan, {
      packSizeBytes: this.#options.packSizeBytes,
      compressPlain: this.#repackOptions.repackUncompressed,
      onBytes: (count) => this.#tell({ repackBytesDone: this.#progress.repackBytesDone + count }),
      lock: this.#lock,
    });
  }

  /** What replaces an index file is durable before it is deleted. */
  async #rewriteIndex(plan: PrunePlan): Promise<void> {
    const { signal } = this.#lock;
    this.#tell({ phase: 'rewrite' });
    await this.#lock.assertHeld();
    const { unpacked } = this.#repository;
    const { obsolete } = await rewriteIndex({
      unpacked,
      index: plan.index,
      fateOf: (pack) => plan.fates.get(pack) ?? 'live',
      addedMarks: plan.addedMarks,
      lock: this.#lock,
    });
    for (const id of obsolete) {
      await this.#lock.assertHeld();
      await unpacked.delete('index', id, { signal });
    }
  }

  async #delete({ remove, report }: PrunePlan): Promise<PruneReport> {
    this.#tell({ phase: 'delete', packsTotal: remove.length });
    const { storage } = this.#repository;
    await forEachAtOnce(
      remove,
      Math.min(storage.capabilities.concurrency, deletersMax),
      async ({ id, sizeBytes }) => {
        await this.#lock.assertHeld();
        if (!(await this.#deletePack(id))) noteLocked(report, sizeBytes);
        this.#tell({ packsDeleted: this.#progress.packsDeleted + 1 });
      },
    );
    await removeUnfinished(this.#repository, this.#lock.signal);
    return report;
  }

  /** Returns false when the storage keeps the file for now (object lock). */
  async #deletePack(id: PackId): Promise<boolean> {
    try {
      await this.#repository.storage.delete(nameOf('data', id), { signal: this.#lock.signal });
      return true;
    } catch (error) {
      if (error instanceof StorageError && error.code === 'storage.locked') return false;
      throw error;
    }
  }

  #tell(change: Partial<PruneProgress>): void {
    Object.assign(this.#progress, change);
    this.#options.onProgress?.(this.#progress);
  }
}

/** Corrects a report that says that all packs were deleted. */
function noteLocked(report: PruneReport, sizeBytes: number): void {
  note(report.packs.locked, sizeBytes);
  report.packs.deleted.count--;
  report.packs.deleted.sizeBytes -= sizeBytes;
  report.bytesAfter += sizeBytes;
}
