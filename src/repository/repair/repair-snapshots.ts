import { WriteSession } from '../backup/write-session.ts';
import { idOf, type PackId, type SnapshotId } from '../format/ids.ts';
import { nameOf } from '../format/names.ts';
import { RepositoryIndex } from '../index/repository-index.ts';
import { keepIfHeld, type RepositoryLock } from '../lock/lock.ts';
import { isLoss } from '../loss.ts';
import type { Repository } from '../repository.ts';
import { loadSnapshots } from '../snapshot/load-snapshots.ts';
import { type Snapshot, type StoredSnapshot, stableIdOf, withTags } from '../snapshot/snapshot.ts';
import { decodeSnapshot, encodeSnapshot } from '../snapshot/snapshot-json.ts';
import { listStored, readWhole } from '../unpacked-raw.ts';
import { type RepairedEntry, TreeRepair } from './tree-repair.ts';

export interface RepairSnapshotsOptions {
  /** Look, and write nothing. */
  dryRun?: boolean;
  /** Delete what was repaired, what cannot be read at all, and snapshot files that are damaged. Without it they stay. */
  forget?: boolean;
  /** A repository with copies of the same snapshots: lost blobs are taken from there, so that files stay whole. */
  from?: Repository | undefined;
  onProgress?: (progress: { snapshotsTotal: number; snapshotsDone: number }) => void;
  signal?: AbortSignal;
}

interface RepairedSnapshot {
  before: StoredSnapshot;
  /** Undefined after a dry run. */
  after: StoredSnapshot | undefined;
  entries: readonly RepairedEntry[];
}

export interface RepairSnapshotsReport {
  /** Had losses. Their new forms have the tag `repaired`. */
  repaired: RepairedSnapshot[];
  /** Nothing of them can be read. */
  hopeless: StoredSnapshot[];
  /** Files that are no snapshots any more. */
  damagedFiles: SnapshotId[];
  /** Snapshots that lay under a wrong name; they are stored anew. */
  misplaced: StoredSnapshot[];
  /** Lost blobs that came from the second repository. */
  blobsFetched: number;
  /** Whether `forget` deleted the old forms. */
  isForgotten: boolean;
}

const repairedTag = 'repaired';

/**
 * Writes snapshots anew without what cannot be read: files keep the parts that are there, a folder that is lost becomes
 * an empty one (as `restic repair snapshots`). Takes the index at its word, so repair index and packs before. Under an
 * exclusive lock; new forms are durable before old ones are deleted; run again, it makes no second new form.
 */
export async function repairSnapshots(
  repository: Repository,
  options: RepairSnapshotsOptions = {},
): Promise<RepairSnapshotsReport> {
  const { dryRun = false, forget = false } = options;
  await using lock = await repository.lock({ exclusive: !dryRun, signal: options.signal });
  await using _copyLock = await options.from?.lock({ exclusive: false, signal: lock.signal });
  const session = dryRun ? undefined : await openSession(repository, lock);
  try {
    const repair = new SnapshotRepair(repository, session, lock);
    const report = await repair.look(options);
    await session?.flush();
    if (session) await repair.save(report);
    if (forget && !dryRun) await repair.forget(report);
    return report;
  } catch (error) {
    throw lock.signal.aborted ? lock.signal.reason : error;
  } finally {
    await session?.close();
    if (session) repository.forgetIndex();
  }
}

/** Its index knows nothing, so that each new tree is written, even one that the old index lists in a lost pack. */
async function openSession(repository: Repository, lock: RepositoryLock): Promise<WriteSession> {
  return new WriteSession({ ...(await repository.writeContext(lock)), index: new RepositoryIndex(0) });
}

class SnapshotRepair {
  readonly #repository: Repository;
  readonly #session: WriteSession | undefined;
  readonly #lock: RepositoryLock;
  #snapshots: StoredSnapshot[] = [];
  readonly #drafts = new Map<StoredSnapshot, Snapshot>();

  constructor(repository: Repository, session: WriteSession | undefined, lock: RepositoryLock) {
    this.#repository = repository;
    this.#session = session;
    this.#lock = lock;
  }

  async look(options: RepairSnapshotsOptions): Promise<RepairSnapshotsReport> {
    const repository = this.#repository;
    const report: RepairSnapshotsReport = {
      repaired: [],
      hopeless: [],
      damagedFiles: [],
      misplaced: [],
      blobsFetched: 0,
      isForgotten: (options.forget ?? false) && !options.dryRun,
    };
    this.#snapshots = await loadSnapshots(repository.unpacked, {
      signal: this.#lock.signal,
      onDamaged: (id) => report.damagedFiles.push(id),
    });
    await this.#findMisplaced(report);
    const trees = new TreeRepair({
      index: await repository.index(),
      reader: await repository.blobReader(),
      copy: await options.from?.blobReader(),
      packs: await this.#packSizes(),
      session: this.#session,
      signal: this.#lock.signal,
    });
    const progress = { snapshotsTotal: this.#snapshots.length, snapshotsDone: 0 };
    options.onProgress?.(progress);
    for (const before of this.#snapshots) {
      const { id: tree, entries } = await trees.repair(before.tree);
      if (!tree) report.hopeless.push(before);
      else if (entries.length > 0) {
        report.repaired.push({ before, after: undefined, entries });
        this.#drafts.set(before, { ...withTags(before, [...before.tags, repairedTag]), tree });
      }
      progress.snapshotsDone++;
    }
    report.blobsFetched = trees.blobsFetched;
    return report;
  }

  /** Stores the new forms. The trees are durable. */
  async save(report: RepairSnapshotsReport): Promise<void> {
    for (const repaired of report.repaired) {
      await this.#lock.assertHeld();
      const draft = this.#drafts.get(repaired.before)!;
      repaired.after = this.#snapshots.find((one) => isTwin(one, draft)) ?? (await this.#store(draft));
    }
  }

  /** Deletes old forms; the new ones are durable. */
  async forget(report: RepairSnapshotsReport): Promise<void> {
    const old = [...report.repaired.map(({ before }) => before), ...report.hopeless];
    for (const id of [...old.map(({ id }) => id), ...report.damagedFiles]) {
      await this.#lock.assertHeld();
      await this.#repository.unpacked.delete('snapshots', id, { signal: this.#lock.signal });
    }
  }

  async #store(draft: Snapshot): Promise<StoredSnapshot> {
    const { unpacked } = this.#repository;
    const id = await unpacked.save('snapshots', encodeSnapshot(draft));
    await keepIfHeld(this.#lock, () => unpacked.delete('snapshots', id));
    return { ...draft, id };
  }

  /**
   * A file whose content is authentic and not its own (the storage mixed up two files) is stored anew. Not under its own
   * name: what lies there may be the content of another.
   */
  async #findMisplaced(report: RepairSnapshotsReport): Promise<void> {
    const { storage } = this.#repository;
    for (const id of report.damagedFiles) {
      const bytes = await readWhole(storage, nameOf('snapshots', id), { signal: this.#lock.signal });
      const found = this.#decode(bytes);
      if (
        !found ||
        this.#snapshots.some((one) => stableIdOf(one) === stableIdOf(found) && one.tree === found.tree)
      )
        continue;
      const snapshot = this.#session ? await this.#store(withTags(found, found.tags)) : found;
      this.#snapshots.push(snapshot);
      report.misplaced.push(snapshot);
    }
  }

  #decode(bytes: Uint8Array): StoredSnapshot | undefined {
    try {
      return { ...decodeSnapshot(this.#repository.unpacked.open(bytes)), id: idOf(bytes) };
    } catch (error) {
      if (isLoss(error)) return undefined;
      throw error;
    }
  }

  async #packSizes(): Promise<Map<PackId, number>> {
    const sizes = new Map<PackId, number>();
    const { storage } = this.#repository;
    for await (const { id, sizeBytes } of listStored(storage, 'data', { signal: this.#lock.signal }))
      sizes.set(id, sizeBytes);
    return sizes;
  }
}

/** What an earlier repair has made of the same snapshot. */
function isTwin(one: StoredSnapshot, draft: Snapshot): boolean {
  return stableIdOf(one) === draft.original && one.tree === draft.tree && one.tags.includes(repairedTag);
}
