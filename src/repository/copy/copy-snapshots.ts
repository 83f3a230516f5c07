import type { StoredCounts, WriteOptions } from '../backup/write-session.ts';
import { WriteSession } from '../backup/write-session.ts';
import type { RepositoryIndex } from '../index/repository-index.ts';
import { keepIfHeld, type RepositoryLock } from '../lock/lock.ts';
import { isLoss } from '../loss.ts';
import type { Repository } from '../repository.ts';
import { byTime } from '../snapshot/load-snapshots.ts';
import { type Snapshot, type StoredSnapshot, stableIdOf } from '../snapshot/snapshot.ts';
import { encodeSnapshot } from '../snapshot/snapshot-json.ts';
import { type CopyProgress, TreeCopier } from './copy-trees.ts';

export interface CopyOptions extends WriteOptions {
  /** What is copied; all snapshots of the source by default. */
  snapshots?: readonly StoredSnapshot[];
  onProgress?: (progress: CopyProgress, counts: StoredCounts) => void;
  /** Called with each pair once the copy is durable. */
  onCopied?: (copied: CopiedSnapshot) => void;
  signal?: AbortSignal;
}

interface CopiedSnapshot {
  source: StoredSnapshot;
  copy: StoredSnapshot;
}

export interface CopyReport {
  copied: CopiedSnapshot[];
  /** Were there before. */
  present: CopiedSnapshot[];
  /** Could not be read whole, so no copy of them was made. */
  failed: { source: StoredSnapshot; error: Error }[];
  /** The two cut files at other places: what is copied shares nothing with what the target's own backups store. */
  cutsDiffer: boolean;
  counts: StoredCounts;
}

/** After so many plain bytes the copies so far become durable: what an interruption costs at most. */
const flushEveryBytes = 256 * 1024 * 1024;

/**
 * Copies snapshots into another repository, whatever its password and key: only blobs that it lacks, each opened and
 * checked against its id on its way. Interrupted, it goes on where it was when it is run again. A copy keeps time, tags
 * and host, and has the source's stable id as `original`.
 *
 * A snapshot that was copied before is recognised by stable id, tree, time, host and paths, so that other tags on either
 * side do not copy it again (restic compares tags too, and copies twice).
 */
export async function copySnapshots(
  from: Repository,
  to: Repository,
  options: CopyOptions = {},
): Promise<CopyReport> {
  await using sourceLock = await from.lock({ exclusive: false, signal: options.signal });
  await using targetLock = await to.lock({
    exclusive: false,
    isReading: false,
    signal: options.signal,
  });
  const signal = AbortSignal.any([sourceLock.signal, targetLock.signal]);
  const snapshots = [...(options.snapshots ?? (await from.snapshots()))].sort(byTime);
  // One that is damaged counts for nothing; the check of the target tells.
  const known = knownByStableId(await to.snapshots({ onDamaged: () => {} }));
  const context = await to.writeContext(targetLock);
  const session = new WriteSession(context, options);
  const report: CopyReport = {
    copied: [],
    present: [],
    failed: [],
    cutsDiffer: from.config.chunkerPolynomial !== to.config.chunkerPolynomial,
    counts: session.counts,
  };
  try {
    const copier = new SnapshotCopier({
      from,
      to,
      session,
      lock: targetLock,
      present: context.index,
      signal,
      report,
      options,
    });
    await copier.run(snapshots, known);
  } catch (error) {
    // Ids that were claimed and not stored must not pass for known.
    to.forgetIndex();
    throw signal.aborted ? signal.reason : error;
  } finally {
    await session.close();
  }
  return report;
}

class SnapshotCopier {
  readonly #from: Repository;
  readonly #to: Repository;
  readonly #session: WriteSession;
  readonly #targetLock: RepositoryLock;
  /** What the target holds, as the session sees it. */
  readonly #present: RepositoryIndex;
  readonly #signal: AbortSignal;
  readonly #report: CopyReport;
  readonly #options: CopyOptions;
  readonly #progress: CopyProgress = { snapshotsTotal: 0, snapshotsDone: 0, treesDone: 0, bytesDone: 0 };
  /** Everything below them was handed over, but is not durable yet. */
  #complete: StoredSnapshot[] = [];
  #flushedBytes = 0;

  constructor(parts: {
    from: Repository;
    to: Repository;
    session: WriteSession;
    lock: RepositoryLock;
    present: RepositoryIndex;
    signal: AbortSignal;
    report: CopyReport;
    options: CopyOptions;
  }) {
    this.#from = parts.from;
    this.#to = parts.to;
    this.#session = parts.session;
    this.#targetLock = parts.lock;
    this.#present = parts.present;
    this.#signal = parts.signal;
    this.#report = parts.report;
    this.#options = parts.options;
  }

  async run(snapshots: readonly StoredSnapshot[], known: Map<string, StoredSnapshot[]>): Promise<void> {
    const { onProgress } = this.#options;
    this.#progress.snapshotsTotal = snapshots.length;
    onProgress?.(this.#progress, this.#session.counts);
    const trees = await TreeCopier.open({
      from: this.#from,
      session: this.#session,
      present: this.#present,
      progress: this.#progress,
      signal: this.#signal,
    });
    try {
      for (const source of snapshots) {
        const copy = known.get(stableIdOf(source))?.find((one) => isSame(one, source));
        if (copy) this.#report.present.push({ source, copy });
        else await this.#copy(trees, source);
        this.#progress.snapshotsDone++;
      }
      await this.#flush();
    } finally {
      await trees.close();
    }
  }

  async #copy(trees: TreeCopier, source: StoredSnapshot): Promise<void> {
    try {
      await trees.copy(source.tree);
    } catch (error) {
      if (!isLoss(error)) throw error;
      this.#report.failed.push({ source, error });
      return;
    }
    this.#complete.push(source);
    if (this.#progress.bytesDone - this.#flushedBytes >= flushEveryBytes) await this.#flush();
  }

  /** Makes everything so far durable, the snapshots last. */
  async #flush(): Promise<void> {
    await this.#session.flush();
    this.#flushedBytes = this.#progress.bytesDone;
    for (const source of this.#complete.splice(0)) {
      await this.#targetLock.assertHeld();
      const draft = copyOf(source);
      const id = await this.#to.unpacked.save('snapshots', encodeSnapshot(draft), { signal: this.#signal });
      await keepIfHeld(this.#targetLock, () => this.#to.unpacked.delete('snapshots', id));
      const copied = { source, copy: { ...draft, id } };
      this.#report.copied.push(copied);
      this.#options.onCopied?.(copied);
    }
  }
}

function copyOf(source: StoredSnapshot): Snapshot {
  const { id: _id, parent: _parent, ...kept } = source;
  return { ...kept, original: stableIdOf(source) };
}

function knownByStableId(snapshots: readonly StoredSnapshot[]): Map<string, StoredSnapshot[]> {
  return Map.groupBy(snapshots, stableIdOf);
}

function isSame(one: StoredSnapshot, other: StoredSnapshot): boolean {
  return (
    one.tree === other.tree &&
    one.timeNs === other.timeNs &&
    one.hostname === other.hostname &&
    one.paths.length === other.paths.length &&
    one.paths.every((path, i) => path === other.paths[i])
  );
}
