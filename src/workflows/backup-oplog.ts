import { type Clock, HoldfastError, systemClock } from '#base';
import type { StoredSnapshot } from '#repository';
import {
  compareTimes,
  deploymentFolderOf,
  type OplogFeed,
  type OplogSlice,
  openOplogFeed,
  requireOplog,
  type Source,
  SourceError,
} from '#sources';
import { type BackupOutcome, type BackupRequest, backup } from './backup.ts';
import { type LineMember, membersOf, runsOf, slicesFrom } from './oplog-line.ts';
import { type FinalState, type Problem, stateOf } from './outcome.ts';
import { readBack } from './read-back.ts';
import { findDump, findSlice } from './stored-dump.ts';

export interface BackupOplogRequest extends Omit<BackupRequest, 'source' | 'onStart'> {
  url: string;
  /** Opens the deployment for a full backup, which is made when slices have nothing to join. */
  openFull(): Promise<Source>;
  /** A slice is saved when it has so many bytes. */
  sliceBytesMax: number;
  /** Runs until `stop` is aborted, and saves a slice each so often; without it, until the newest entry of now is saved. */
  everyMs?: number | undefined;
  stop?: AbortSignal | undefined;
  /** Whether everything that was saved is read again and compared. */
  isReadBack: boolean;
  onFull?: (outcome: BackupOutcome) => void;
  onSlice?: (slice: SavedSlice) => void;
  clock?: Clock;
}

export interface SavedSlice extends Pick<OplogSlice, 'manifest'> {
  snapshot: StoredSnapshot | undefined;
}

export interface BackupOplogOutcome {
  state: FinalState;
  problems: Problem[];
  /** The full backup, where one had to be made. */
  full?: BackupOutcome;
  sliceCount: number;
  entryCount: number;
  bytes: number;
  first?: SavedSlice;
  last?: SavedSlice;
  /** How often reading broke off and went on without loss. */
  reopened: number;
}

type Mark = Parameters<typeof openOplogFeed>[1]['after'];

/** In one run; a server whose oplog breaks again and again is given up. */
const fullsMax = 2;
/** Kept of a run that may last for months. */
const problemsMax = 1000;
/** Between two tries of a run that is to go on whatever happens. */
const retryPauseMs = 10_000;

/**
 * Saves the oplog on from where it was left, as small snapshots that join each other. When nothing is held to join, or
 * the oplog rolled over or was rolled back since, that is told (*warning*), and a full backup begins anew.
 * @throws SourceError 'sources.absent' when there is no oplog, 'sources.unreachable' …
 */
export async function backupOplog(request: BackupOplogRequest): Promise<BackupOplogOutcome> {
  const run = new OplogRun(request);
  await run.go();
  return run.outcome();
}

class OplogRun {
  readonly #request: BackupOplogRequest;
  readonly #signal: AbortSignal;
  readonly #clock: Clock;
  readonly #problems: Problem[] = [];
  #full: BackupOutcome | undefined;
  #fullCount = 0;
  /** Where to go on when it is not possible there where it was tried. */
  #others: Mark[] = [];
  #counts = { sliceCount: 0, entryCount: 0, bytes: 0, reopened: 0 };
  #first: SavedSlice | undefined;
  #last: SavedSlice | undefined;

  constructor(request: BackupOplogRequest) {
    this.#request = request;
    this.#signal = request.signal ?? new AbortController().signal;
    this.#clock = request.clock ?? systemClock;
  }

  async go(): Promise<void> {
    let starts: Mark[] | undefined;
    for (;;)
      try {
        await this.#follow(starts ?? (await this.#findStarts()));
        return;
      } catch (error) {
        this.#signal.throwIfAborted();
        starts = await this.#afterFailure(error);
        if (this.#isStopped()) return;
      }
  }

  outcome(): BackupOplogOutcome {
    return {
      state: stateOf(this.#problems),
      problems: this.#problems,
      ...this.#counts,
      ...(this.#full ? { full: this.#full } : {}),
      ...(this.#first ? { first: this.#first } : {}),
      ...(this.#last ? { last: this.#last } : {}),
    };
  }

  #isStopped(): boolean {
    return this.#request.stop?.aborted === true;
  }

  #note(problem: Problem): void {
    if (this.#problems.length < problemsMax) this.#problems.push(problem);
    this.#request.onProblem?.(problem);
  }

  /** What a run that goes on does next; the others fail. @returns where to go on; undefined: to be found out */
  async #afterFailure(error: unknown): Promise<Mark[] | undefined> {
    if (isBroken(error) && this.#others.length > 0) return this.#others;
    if (isBroken(error) && this.#fullCount < fullsMax) {
      this.#note({ path: 'oplog', error, gravity: 'odd' });
      return [];
    }
    const { everyMs, stop } = this.#request;
    if (everyMs === undefined || !(error instanceof HoldfastError) || error.retry === 'never') throw error;
    this.#note({ path: 'oplog', error, gravity: 'odd' });
    await this.#clock.sleep(retryPauseMs, { signal: stop }).catch(() => {});
    return undefined;
  }

  /** @param starts where to go on, the best first; none: from a new full backup */
  async #follow(starts: readonly Mark[]): Promise<void> {
    const feed = await this.#openFeed(starts);
    try {
      await this.#takeSlices(feed);
    } finally {
      this.#counts.reopened += feed.reopened;
      await feed.close();
    }
  }

  async #openFeed(starts: readonly Mark[]): Promise<OplogFeed> {
    const { url } = this.#request;
    const options = { signal: this.#signal, clock: this.#clock };
    this.#others = [...starts];
    while (this.#others.length > 0)
      try {
        return await openOplogFeed(url, { ...options, after: this.#others.shift()! });
      } catch (error) {
        if (!isBroken(error)) throw error;
        // With a full backup after the gap there is nothing more to do about it; the list of snapshots shows it.
        if (this.#others.length === 0) this.#note({ path: 'oplog', error, gravity: 'odd' });
      }
    await requireOplog(url);
    return openOplogFeed(url, { ...options, after: await this.#makeFull() });
  }

  async #makeFull(): Promise<Mark> {
    const { openFull, onFull } = this.#request;
    this.#fullCount++;
    const source = await openFull();
    try {
      const full = await backup({ ...this.#backupOptions(), source });
      this.#full = full;
      for (const problem of full.problems) this.#problems.push(problem);
      await this.#prove(full.snapshot);
      onFull?.(full);
      const dump = full.snapshot && (await findDump(this.#request.repository, full.snapshot, this.#signal));
      if (dump?.manifest.oplog) return dump.manifest.oplog.last;
      const reason = dump?.manifest.consistency.sentence ?? 'it was not saved';
      throw new SourceError('sources.absent', `no slice can join the full backup: ${reason}`, {
        hint: 'Make the oplog larger when it rolled over meanwhile; `holdfast source test` tells what else is missing.',
      });
    } finally {
      await source.close();
    }
  }

  async #takeSlices(feed: OplogFeed): Promise<void> {
    const { everyMs, stop, sliceBytesMax } = this.#request;
    const until = everyMs === undefined ? await feed.newestTime() : undefined;
    const isOver = (): boolean => (until ? feed.hasReached(until) : this.#isStopped());
    while (!isOver()) {
      this.#signal.throwIfAborted();
      const slice = await feed.take({ bytesMax: sliceBytesMax, until, durationMs: everyMs, stop });
      if (slice) await this.#save(slice);
    }
  }

  async #save({ source, tag, manifest }: OplogSlice): Promise<void> {
    const options = this.#backupOptions();
    const tags = [...(options.tags ?? []), tag];
    const { snapshot, problems } = await backup({ ...options, source, tags, parent: 'none' });
    for (const problem of problems) this.#problems.push(problem);
    await this.#prove(snapshot);
    const saved: SavedSlice = { snapshot, manifest };
    this.#first ??= saved;
    this.#last = saved;
    this.#counts.sliceCount++;
    // The first entry is the last of the slice before.
    this.#counts.entryCount += manifest.count - 1;
    this.#counts.bytes += manifest.bytes;
    // Years may lie between two gaps of a run that goes on.
    if (this.#request.everyMs !== undefined) this.#fullCount = 0;
    this.#request.onSlice?.(saved);
  }

  #backupOptions(): Omit<BackupRequest, 'source'> {
    const {
      url: _,
      openFull,
      sliceBytesMax,
      everyMs,
      stop,
      isReadBack,
      onFull,
      onSlice,
      clock,
      ...options
    } = this.#request;
    return { ...options, signal: this.#signal };
  }

  async #prove(snapshot: StoredSnapshot | undefined): Promise<void> {
    const { repository, isReadBack } = this.#request;
    if (!snapshot || !isReadBack) return;
    await readBack({
      repository,
      snapshot,
      signal: this.#signal,
      onProblem: (problem) => this.#note(problem),
    });
  }

  /** Where slices may go on: at the end of the newest run, or at a full backup that is newer. */
  async #findStarts(): Promise<Mark[]> {
    const { repository, url } = this.#request;
    await using lock = await repository.lock({ exclusive: false, signal: this.#signal });
    const { fulls, slices } = membersOf(
      await repository.snapshots({ signal: lock.signal }),
      deploymentFolderOf(url),
    );
    const newestFull = fulls.at(-1);
    if (!newestFull) return [];
    const run = runsOf(slices).at(-1) ?? [];
    const isAnchored = fulls.some(({ to }) => slicesFrom(to, slices).at(-1) === run.at(-1));
    const ends: LineMember[] = isAnchored && run.length > 0 ? [run.at(-1)!] : [];
    if (ends.length === 0 || compareTimes(newestFull.to, ends[0]!.to) > 0) ends.push(newestFull);
    const marks: Mark[] = [];
    for (const end of ends) {
      const mark = await this.#markOf(end);
      if (mark) marks.push(mark);
    }
    return marks;
  }

  async #markOf({ snapshot }: { snapshot: StoredSnapshot }): Promise<Mark | undefined> {
    const { repository } = this.#request;
    const slice = await findSlice(repository, snapshot, this.#signal);
    return slice?.manifest.last ?? (await findDump(repository, snapshot, this.#signal))?.manifest.oplog?.last;
  }
}

function isBroken(error: unknown): error is SourceError {
  return (
    error instanceof SourceError &&
    (error.code === 'sources.oplog-gap' || error.code === 'sources.oplog-rollback')
  );
}
