import assert from 'node:assert/strict';
import { sealOverheadBytes } from '../crypto/blob-codec.ts';
import { RepositoryError } from '../errors.ts';
import { forEachAtOnce } from '../for-each-at-once.ts';
import type { PackId } from '../format/ids.ts';
import { nameOf } from '../format/names.ts';
import type { IndexPack } from '../index/index-file.ts';
import type { MarkedPack, RepositoryIndex } from '../index/repository-index.ts';
import type { PackFate } from '../index/rewrite-index.ts';
import { packTrailerBytes } from '../pack/pack-header.ts';
import type { Repository } from '../repository.ts';
import { chooseRepack, type RepackOptions } from './choose-repack.ts';
import { PackFacts } from './pack-facts.ts';
import { newPruneReport, note, type PruneReport } from './prune-report.ts';
import { StoredPacks } from './stored-packs.ts';
import { findUsedBlobs, type UsedBlobs } from './used-blobs.ts';

export interface PlanOptions extends RepackOptions {
  /** How long a pack stays marked before it is deleted; 0 deletes at once. */
  graceMs: number;
  onSnapshots: (count: number) => void;
  onTree: () => void;
  signal: AbortSignal;
}

interface RemovedPack {
  id: PackId;
  sizeBytes: number;
}

const askedAtOnceMax = 16;

/** What a prune will do. Nothing of it has happened yet. */
export interface PrunePlan {
  index: RepositoryIndex;
  used: UsedBlobs;
  facts: PackFacts;
  /** Packs to be copied from, by number. */
  repack: number[];
  /** What becomes of packs that the index lists; those that are not here stay as they are. */
  fates: Map<number, PackFate>;
  /** Files that no index file lists, to be marked. */
  addedMarks: IndexPack[];
  /** Files to be deleted at last. */
  remove: RemovedPack[];
  /** What will be reported, as if all had been done. */
  report: PruneReport;
}

/**
 * Finds out what can go, and changes nothing. What exists is listed first and what is known of it read afterwards, so
 * that a pack whose index file comes meanwhile is never taken for an orphan of old.
 * @throws RepositoryError 'repository.damaged', 'repository.incomplete' when something that is needed is not there:
 * then nothing may be deleted
 */
export async function planPrune(repository: Repository, options: PlanOptions): Promise<PrunePlan> {
  const { signal } = options;
  const stored = await StoredPacks.list(repository.storage, signal);
  const snapshots = await repository.snapshots({ signal });
  options.onSnapshots(snapshots.length);
  const index = await repository.index();
  const reader = await repository.blobReader();
  const used = await findUsedBlobs({ index, reader, snapshots, onTree: options.onTree, signal });
  await lookForLatePacks(repository, index, stored, signal);
  const planner = new Planner({ index, used, stored, options, nowMs: repository.clock.nowMs() });
  return planner.plan(snapshots.length);
}

/** Asks for each pack that the listing does not show: it may be younger, or the listing old. */
async function lookForLatePacks(
  repository: Repository,
  index: RepositoryIndex,
  stored: StoredPacks,
  signal: AbortSignal,
): Promise<void> {
  const missing: PackId[] = [];
  for (let pack = 0; pack < index.packs.count; pack++) {
    const id = index.packs.idOf(pack);
    if (stored.sizeOf(id) === undefined) missing.push(id);
  }
  const atOnce = Math.min(repository.storage.capabilities.concurrency, askedAtOnceMax);
  await forEachAtOnce(missing, atOnce, async (id) => {
    const file = await repository.storage.stat(nameOf('data', id), { signal });
    if (file) stored.addLate(id, file.sizeBytes);
  });
}

interface Situation {
  index: RepositoryIndex;
  used: UsedBlobs;
  stored: StoredPacks;
  options: PlanOptions;
  nowMs: number;
}

class Planner {
  readonly #index: RepositoryIndex;
  readonly #used: UsedBlobs;
  readonly #stored: StoredPacks;
  readonly #options: PlanOptions;
  readonly #nowMs: number;
  readonly #facts: PackFacts;
  readonly #fates = new Map<number, PackFate>();
  readonly #addedMarks: IndexPack[] = [];
  readonly #remove: RemovedPack[] = [];
  readonly #report = newPruneReport();

  constructor({ index, used, stored, options, nowMs }: Situation) {
    this.#index = index;
    this.#used = used;
    this.#stored = stored;
    this.#options = options;
    // A time of index files has whole milliseconds.
    this.#nowMs = Math.floor(nowMs);
    this.#facts = new PackFacts(index, used, stored);
    const placedBlobs = this.#facts.usedBlobs.reduce((sum, count) => sum + count, 0);
    assert(placedBlobs + used.onlyMarked.size === used.size, 'a used blob has no place');
  }

  plan(snapshotCount: number): PrunePlan {
    const inUse = this.#sortListed();
    this.#sortMarked();
    this.#sortOrphans();
    const repack = chooseRepack(this.#facts, inUse, this.#options);
    this.#count(inUse, new Set(repack));
    this.#report.snapshots = snapshotCount;
    return {
      index: this.#index,
      used: this.#used,
      facts: this.#facts,
      repack,
      fates: this.#fates,
      addedMarks: this.#addedMarks,
      remove: this.#remove,
      report: this.#report,
    };
  }

  /** Lets go of packs without users. Returns the others. */
  #sortListed(): number[] {
    const inUse: number[] = [];
    for (let pack = 0; pack < this.#index.packs.count; pack++) {
      if (!this.#index.isLive(pack)) continue;
      const isNeeded = this.#facts.usedBlobs[pack]! > 0;
      if (!this.#facts.isThere(pack)) this.#fates.set(pack, 'dropped');
      else if (!isNeeded) this.#letGo(pack, this.#facts.sizeBytes[pack]!);
      else {
        assertSize(
          this.#index.packs.idOf(pack),
          this.#facts.sizeBytes[pack]!,
          this.#facts.expectedBytes(pack),
        );
        inUse.push(pack);
      }
    }
    return inUse;
  }

  /** Marks a pack, or deletes it when there is no grace. */
  #letGo(pack: number, sizeBytes: number): void {
    if (this.#options.graceMs > 0) {
      this.#fates.set(pack, { markedAtMs: this.#nowMs });
      note(this.#report.packs.marked, sizeBytes);
    } else this.#delete(pack, sizeBytes);
  }

  #delete(pack: number, sizeBytes: number): void {
    this.#fates.set(pack, 'dropped');
    this.#remove.push({ id: this.#index.packs.idOf(pack), sizeBytes });
    note(this.#report.packs.deleted, sizeBytes);
  }

  /** Takes back the marks of packs that are needed again, and deletes those whose grace is over. */
  #sortMarked(): void {
    const wanted = new Map<string, PackId | undefined>(this.#facts.lost);
    for (const key of this.#used.onlyMarked) wanted.set(key, undefined);
    for (const marked of this.#latestMarks()) {
      const pack = this.#index.packs.numberOf(Buffer.from(marked.id, 'hex'));
      if (this.#index.isLive(pack) && this.#facts.isThere(pack)) continue;
      const sizeBytes = this.#stored.sizeOf(marked.id);
      const keys = wantedKeys(marked, wanted);
      if (sizeBytes === undefined) this.#fates.set(pack, 'dropped');
      else if (keys.length > 0) {
        assertSize(marked.id, sizeBytes, expectedBytesOf(marked));
        for (const key of keys) wanted.delete(key);
        this.#fates.set(pack, 'live');
        note(this.#report.packs.recovered, sizeBytes);
      } else this.#sortUnusedMark(pack, marked, sizeBytes);
    }
    for (const [key, pack] of wanted) throw missingBlob(key, pack);
  }

  #sortUnusedMark(pack: number, { id, markedAtMs }: MarkedPack, sizeBytes: number): void {
    const { graceMs } = this.#options;
    const sinceMs = Math.max(markedAtMs, this.#stored.modifiedMsOf(id));
    if (graceMs > 0 && markedAtMs === 0) this.#letGo(pack, sizeBytes);
    else if (graceMs === 0 || this.#nowMs - sinceMs >= graceMs) this.#delete(pack, sizeBytes);
    else {
      this.#fates.set(pack, { markedAtMs });
      note(this.#report.packs.waiting, sizeBytes);
    }
  }

  /** One mark for each pack: the last, with the blobs if any mark has them. */
  #latestMarks(): MarkedPack[] {
    const marks = new Map<PackId, MarkedPack>();
    for (const mark of this.#index.markedPacks) {
      const other = marks.get(mark.id) ?? mark;
      marks.set(mark.id, {
        id: mark.id,
        markedAtMs: Math.max(mark.markedAtMs, other.markedAtMs),
        blobs: mark.blobs.count > 0 ? mark.blobs : other.blobs,
      });
    }
    return [...marks.values()];
  }

  /** A file that no index file lists may belong to a backup under way, so it gets its grace as well. */
  #sortOrphans(): void {
    for (const id of this.#stored.ids()) {
      if (this.#index.packs.numberOf(Buffer.from(id, 'hex')) >= 0) continue;
      const sizeBytes = this.#stored.sizeOf(id)!;
      if (this.#options.graceMs > 0) {
        this.#addedMarks.push({ id, blobs: [], timeMs: this.#nowMs, sizeBytes });
        note(this.#report.packs.marked, sizeBytes);
      } else {
        this.#remove.push({ id, sizeBytes });
        note(this.#report.packs.deleted, sizeBytes);
      }
    }
  }

  #count(inUse: readonly number[], repacked: ReadonlySet<number>): void {
    const { packs, blobs } = this.#report;
    const facts = this.#facts;
    let copiedBytes = 0;
    for (const pack of inUse) {
      const sizeBytes = facts.sizeBytes[pack]!;
      if (repacked.has(pack)) {
        note(packs.repacked, sizeBytes);
        copiedBytes += facts.usedBytes[pack]!;
        this.#letGo(pack, sizeBytes);
      } else {
        note(packs.kept, sizeBytes);
        this.#report.unusedBytes += facts.unusedBytes[pack]!;
      }
    }
    blobs.used = this.#used.size;
    blobs.duplicate = facts.duplicateBlobs;
    blobs.unused = facts.unusedBlobs.reduce((sum, count) => sum + count, 0) - facts.duplicateBlobs;
    this.#report.bytesBefore = this.#stored.sizeBytes;
    this.#report.bytesAfter = this.#stored.sizeBytes + copiedBytes - packs.deleted.sizeBytes;
  }
}

/** The blobs of a marked pack that are among the wanted ones, as `<type> <id>`. */
function wantedKeys({ blobs }: MarkedPack, wanted: ReadonlyMap<string, unknown>): string[] {
  if (wanted.size === 0) return [];
  const keys = blobs.toArray().map(({ type, id }) => `${type} ${id}`);
  return keys.filter((key) => wanted.has(key));
}

function expectedBytesOf({ blobs }: MarkedPack): number {
  let sizeBytes = sealOverheadBytes + packTrailerBytes;
  blobs.forEach((_type, _id, _offset, length, uncompressedLength) => {
    sizeBytes += length + (uncompressedLength === 0 ? 37 : 41);
  });
  return sizeBytes;
}

const unchangedHint =
  'Nothing was changed. Run `holdfast check` to see what is damaged, and repair that first.';

function assertSize(id: PackId, sizeBytes: number, expectedBytes: number): void {
  if (sizeBytes === expectedBytes) return;
  const message = `pack ${id.slice(0, 12)} has ${sizeBytes} bytes, the index says ${expectedBytes}`;
  throw new RepositoryError('repository.damaged', message, { hint: unchangedHint, context: { pack: id } });
}

/** @param key type and id of the blob @param pack the missing pack that held it */
function missingBlob(key: string, pack: PackId | undefined): RepositoryError {
  const [type, id] = key.split(' ') as [string, string];
  const where = pack ? `, in pack ${pack.slice(0, 12)},` : '';
  return new RepositoryError(
    'repository.incomplete',
    `the ${type} blob ${id.slice(0, 12)}${where} is missing`,
    {
      hint: unchangedHint,
      context: { blob: id, ...(pack ? { pack } : {}) },
    },
  );
}
