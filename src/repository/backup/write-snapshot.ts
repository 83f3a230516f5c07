import type { FileAttributes } from '#base';
import type { Storage } from '#storage';
import { RepositoryError } from '../errors.ts';
import type { BlobId } from '../format/ids.ts';
import type { RepositoryIndex } from '../index/repository-index.ts';
import { keepIfHeld, type RepositoryLock } from '../lock/lock.ts';
import { removeUnfinished } from '../remove-unfinished.ts';
import type { Repository } from '../repository.ts';
import { findParent } from '../snapshot/find-snapshot.ts';
import type { Snapshot, SnapshotSummary, StoredSnapshot } from '../snapshot/snapshot.ts';
import { encodeSnapshot } from '../snapshot/snapshot-json.ts';
import { UnpackedFiles } from '../unpacked.ts';
import { hasSameContent } from './same-content.ts';
import { type FileProblem, SnapshotWriter, type WriteProgress } from './snapshot-writer.ts';
import { type StoredCounts, type WriteOptions, WriteSession } from './write-session.ts';

export interface WriteSnapshotOptions extends WriteOptions {
  /** What was saved: absolute paths, or `/name` of a stream. */
  paths: readonly string[];
  tags?: readonly string[];
  /** More tags, asked for when everything was read. */
  lateTags?: (() => readonly string[]) | undefined;
  excludes?: readonly string[];
  hostname?: string;
  /** When the backup began; now by default. Given, it also silences the check of this machine's clock. */
  timeNs?: bigint;
  /** The snapshot to compare with; 'auto' takes the newest of the same host and paths, 'none' reads every file. */
  parent?: StoredSnapshot | 'auto' | 'none';
  programVersion?: string;
  /** Do everything but write. */
  dryRun?: boolean;
  withAccessTime?: boolean | undefined;
  ignoreInode?: boolean | undefined;
  ignoreCtime?: boolean | undefined;
  /** Streams of the source that may be open at once. */
  streamConcurrency?: number;
  /** Write no snapshot when what `paths` name is as in the parent (restic's `--skip-if-unchanged`). */
  skipIfUnchanged?: boolean;
  onProblem?: (problem: FileProblem) => void;
  /** Asked when all entries are in: how much of the source could not be read. The snapshot's summary says so. */
  lostCount?: () => number;
  /** Called when writing begins; the counters of both objects grow. */
  onStart?: (progress: WriteProgress, counts: StoredCounts, parent: StoredSnapshot | undefined) => void;
  signal?: AbortSignal;
}

export interface WrittenSnapshot {
  /** Undefined after a dry run, and when it was skipped as unchanged. */
  snapshot: StoredSnapshot | undefined;
  summary: SnapshotSummary;
  tree: BlobId;
  parent: StoredSnapshot | undefined;
  problems: FileProblem[];
}

/** How far this machine's clock may be behind the newest snapshot. */
const clockSlackNs = 10n * 60n * 1_000_000_000n;

/**
 * Writes one snapshot. `fill` brings the entries; when it rejects, no snapshot is written and what was
 * uploaded stays unreferenced. Durable when resolved: packs, then index, then the snapshot.
 */
export async function writeSnapshot(
  repository: Repository,
  options: WriteSnapshotOptions,
  fill: (writer: SnapshotWriter) => Promise<void>,
): Promise<WrittenSnapshot> {
  await using lock = await repository.lock({
    exclusive: false,
    isReading: options.dryRun === true,
    signal: options.signal,
  });
  const beganNs = nowNs(repository);
  const timeNs = options.timeNs ?? beganNs;
  const snapshots = await repository.snapshots();
  if (options.timeNs === undefined) refuseLateClock(snapshots, beganNs);
  const hostname = options.hostname ?? repository.owner.hostname;
  const parent = chooseParent(snapshots, options, { hostname, paths: options.paths, timeNs });
  const problems: FileProblem[] = [];
  const { session, unpacked, index } = await openSession(repository, options, lock);
  const isCleaning = repository.storage.capabilities.listsUnfinished && !options.dryRun;
  const cleaning = isCleaning ? removeUnfinished(repository, lock.signal) : Promise.resolve();
  // Told below, where it is awaited.
  cleaning.catch(() => {});
  let writer: SnapshotWriter | undefined;
  try {
    writer = await SnapshotWriter.begin({
      session,
      index,
      clock: repository.clock,
      parentTree: parent?.tree,
      readTree: (id) => repository.readWholeTree(id, lock.signal),
      onProblem: (problem) => {
        problems.push(problem);
        options.onProblem?.(problem);
      },
      withAccessTime: options.withAccessTime,
      ignoreInode: options.ignoreInode,
      ignoreCtime: options.ignoreCtime,
      streamConcurrency: options.streamConcurrency,
      signal: lock.signal,
    });
    options.onStart?.(writer.progress, session.counts, parent);
    await fill(writer);
    const tree = await writer.finish();
    await session.flush();
    await lock.assertHeld();
    const filesLost = options.lostCount?.() ?? 0;
    const counted = summarize(writer.progress, session.counts, { beganNs, endedNs: nowNs(repository) });
    const summary = filesLost > 0 ? { ...counted, filesLost } : counted;
    const draft = describe(repository, options, { timeNs, hostname, tree, parent, summary });
    await cleaning;
    const isSkipped =
      options.dryRun || (options.skipIfUnchanged && (await isUnchanged(repository, parent, draft)));
    const snapshot = isSkipped ? undefined : await save(unpacked, draft);
    await keepIfHeld(lock, async () => {
      if (snapshot) await unpacked.delete('snapshots', snapshot.id);
    });
    return { snapshot, summary, tree, parent, problems };
  } catch (error) {
    // Ids that were claimed and not stored must not pass for known.
    repository.forgetIndex();
    const reason: unknown = lock.signal.aborted ? lock.signal.reason : error;
    await Promise.all([writer?.abandon(reason), session.close()]);
    throw reason;
  } finally {
    if (options.dryRun) repository.forgetIndex();
    await session.close();
  }
}

async function isUnchanged(
  repository: Repository,
  parent: StoredSnapshot | undefined,
  { tree, paths }: Snapshot,
): Promise<boolean> {
  if (!parent || parent.paths.toSorted().join('\0') !== paths.toSorted().join('\0')) return false;
  return hasSameContent([parent.tree, tree], paths, (id) => repository.readTree(id));
}

async function openSession(
  repository: Repository,
  options: WriteSnapshotOptions,
  lock: RepositoryLock,
): Promise<{ session: WriteSession; unpacked: UnpackedFiles; index: RepositoryIndex }> {
  const context = await repository.writeContext(lock);
  const { index } = context;
  if (!options.dryRun)
    return { session: new WriteSession(context, options), unpacked: context.unpacked, index };
  const storage = withoutWrites(context.storage);
  const unpacked = new UnpackedFiles({ storage, key: context.key, random: context.random, version: 2 });
  return { session: new WriteSession({ ...context, storage, unpacked }, options), unpacked, index };
}

/** The storage of a dry run. */
function withoutWrites(storage: Storage): Storage {
  return {
    location: storage.location,
    capabilities: storage.capabilities,
    read: (name, range, options) => storage.read(name, range, options),
    stat: (name, options) => storage.stat(name, options),
    list: (prefix, options) => storage.list(prefix, options),
    write: async () => {},
    delete: async () => {},
    close: async () => {},
  };
}

function chooseParent(
  snapshots: readonly StoredSnapshot[],
  options: WriteSnapshotOptions,
  of: { hostname: string; paths: readonly string[]; timeNs: bigint },
): StoredSnapshot | undefined {
  const { parent = 'auto' } = options;
  if (parent === 'none') return undefined;
  return parent === 'auto' ? findParent(snapshots, of) : parent;
}

/** A clock that went back would give snapshots a wrong order, and retention would drop the wrong ones. */
function refuseLateClock(snapshots: readonly StoredSnapshot[], atNs: bigint): void {
  // biome-ignore lint/complexity/useMathMinMax: Math.max knows no bigint
  const newest = snapshots.reduce((latest, { timeNs }) => (timeNs > latest ? timeNs : latest), 0n);
  if (newest <= atNs + clockSlackNs) return;
  const minutes = (newest - atNs) / 60_000_000_000n;
  throw new RepositoryError(
    'repository.clock',
    `the newest snapshot is ${minutes} minutes ahead of this machine's clock`,
    {
      hint: 'Set the clock of this machine (or give the time with --time, if that snapshot was dated ahead on purpose).',
    },
  );
}

function describe(
  repository: Repository,
  options: WriteSnapshotOptions,
  facts: {
    timeNs: bigint;
    hostname: string;
    tree: BlobId;
    parent: StoredSnapshot | undefined;
    summary: SnapshotSummary;
  },
): Snapshot {
  const { owner } = repository;
  return {
    timeNs: facts.timeNs,
    utcOffsetMinutes: 0,
    tree: facts.tree,
    paths: options.paths,
    hostname: facts.hostname,
    username: owner.username,
    uid: owner.uid,
    gid: owner.gid,
    excludes: options.excludes ?? [],
    tags: [...(options.tags ?? []), ...(options.lateTags?.() ?? [])],
    summary: facts.summary,
    ...(facts.parent ? { parent: facts.parent.id } : {}),
    ...(options.programVersion ? { programVersion: options.programVersion } : {}),
  };
}

async function save(unpacked: UnpackedFiles, snapshot: Snapshot): Promise<StoredSnapshot> {
  return { ...snapshot, id: await unpacked.save('snapshots', encodeSnapshot(snapshot)) };
}

function summarize(
  progress: WriteProgress,
  counts: StoredCounts,
  times: { beganNs: bigint; endedNs: bigint },
): SnapshotSummary {
  const { filesNew, filesChanged, filesUnmodified, dirsNew, dirsChanged, dirsUnmodified } = progress;
  return {
    backupStart: { timeNs: times.beganNs, utcOffsetMinutes: 0 },
    backupEnd: { timeNs: times.endedNs, utcOffsetMinutes: 0 },
    filesNew,
    filesChanged,
    filesUnmodified,
    dirsNew,
    dirsChanged,
    dirsUnmodified,
    ...counts,
    totalFilesProcessed: filesNew + filesChanged + filesUnmodified,
    totalBytesProcessed: progress.bytesProcessed,
  };
}

function nowNs(repository: Repository): bigint {
  return BigInt(Math.round(repository.clock.nowMs() * 1000)) * 1000n;
}

/** Attributes of a file that is no file: a stream in a snapshot (restic's `--stdin`). */
export function streamAttributes(timeNs: bigint): FileAttributes {
  return {
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    user: '',
    group: '',
    mtimeNs: timeNs,
    atimeNs: timeNs,
    ctimeNs: timeNs,
    inode: 0n,
    deviceId: 0n,
    links: 0,
    sizeBytes: 0,
  };
}
