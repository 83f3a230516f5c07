import type { Clock } from '#base';
import { SourceError } from '../errors.ts';
import type { Source } from '../source.ts';
import type { ArchiveSourceOptions } from './archive/archive-source.ts';
import type { WriteArchiveOptions } from './archive/write-archive.ts';
import type { OplogTime } from './bson-values.ts';
import type { ServerFacts } from './connection.ts';
import type { FoundDocument } from './find-documents.ts';
import { type DumpManifest, dumpFolder, oplogFileName } from './manifest.ts';
import type { MongoSourceOptions } from './mongo-source.ts';
import type { DumpChoice, NamespaceChoice } from './namespaces.ts';
import type { OplogMark } from './oplog/oplog-entry.ts';
import type { OplogFeed } from './oplog/oplog-feed.ts';
import { entriesThrough, joinHistory, type OplogHistory, type OplogPart } from './oplog/oplog-history.ts';
import type { ReplayCounts } from './oplog/replay-oplog.ts';
import type { MongoPreflight } from './preflight.ts';
import type { OpenDumpFile } from './read-dump-back.ts';
import type { RestoreDumpOptions, RestoredCounts } from './restore-dump.ts';
import type { RestoreChoice, RestorePlan } from './restore-plan.ts';
import type { RestoredUsers, UsersWish } from './restore-users.ts';

// The driver is loaded when one of these is called.

/** A MongoDB deployment as a source. @throws SourceError, see `mongoSource` */
export async function openMongoSource(options: MongoSourceOptions): Promise<Source> {
  const { mongoSource } = await import('./mongo-source.ts');
  return mongoSource(options);
}

/** An archive of mongodump's as a source. */
export async function openArchiveSource(options: ArchiveSourceOptions): Promise<Source> {
  const { archiveSource } = await import('./archive/archive-source.ts');
  return archiveSource(options);
}

/** A stored dump as an archive of mongodump's. @throws SourceError, see `archiveOfDump` */
export async function* mongodumpArchive(
  manifest: DumpManifest,
  open: OpenDumpFile,
  options: WriteArchiveOptions,
): AsyncGenerator<Uint8Array> {
  const { archiveOfDump } = await import('./archive/write-archive.ts');
  yield* archiveOfDump(manifest, open, options);
}

/** Documents of a stored dump by `_id`. @throws SourceError, see `findDocuments` */
export async function* findMongoDocuments(
  manifest: DumpManifest,
  open: OpenDumpFile,
  options: NamespaceChoice & { ids: readonly string[] },
): AsyncGenerator<FoundDocument> {
  const { findDocuments } = await import('./find-documents.ts');
  yield* findDocuments(manifest, open, options);
}

/** Tells what a dump would find and do. @throws SourceError */
export async function preflightMongo(options: DumpChoice & { url: string }): Promise<MongoPreflight> {
  return (await import('./preflight.ts')).preflightMongo(options);
}

/** @throws SourceError 'sources.absent' when a deployment has no oplog that this user may read */
export async function requireOplog(url: string): Promise<void> {
  const { MongoConnection } = await import('./connection.ts');
  const { findOplogStart } = await import('./oplog/choose-capture.ts');
  const connection = await MongoConnection.open(url);
  try {
    const start = await findOplogStart(connection);
    if ('absence' in start)
      throw new SourceError('sources.absent', `there are no slices to take: ${start.absence}`, {
        hint: 'Make it a replica set (of one member, if need be), or take full backups only.',
      });
  } finally {
    await connection.close();
  }
}

/**
 * The oplog of a deployment, on from an entry. @param after the last entry that is held
 * @throws SourceError 'sources.oplog-gap' | 'sources.oplog-rollback' | 'sources.absent' …
 */
export async function openOplogFeed(
  url: string,
  options: { after: OplogMark; signal: AbortSignal; clock?: Clock | undefined },
): Promise<OplogFeed> {
  return (await import('./oplog/oplog-feed.ts')).OplogFeed.open(url, options);
}

export interface MongoRestoreOptions
  extends Omit<RestoreDumpOptions, 'drop' | 'collectionsAtOnce' | 'isReplayed'>,
    RestoreChoice {
  /** Where to: `mongodb://…`. */
  url: string;
  collectionsAtOnce?: number | undefined;
  /** Only documents of these `_id`s; nothing is dropped, indexed or replayed. */
  ids?: readonly string[] | undefined;
  /** Users and roles too, and which. */
  users?: UsersWish | undefined;
  /** Restore although the target's feature compatibility is lower than the backup's. */
  anyVersion?: boolean | undefined;
  /** Slices of the oplog that may be replayed over the dump, in order. */
  slices?: readonly OplogPart[] | undefined;
  /** The time to restore to; undefined: what is there. */
  until?: OplogTime | undefined;
  /** Restores under names that are nobody's (`holdfast_drill_…`), and drops them when all is compared. */
  isThrownAway?: boolean | undefined;
  /** Called, and waited for, before anything is written. */
  onPlan?: ((plan: RestorePlan) => void | Promise<void>) | undefined;
}

export interface MongoRestoreOutcome extends RestoredCounts {
  /** When an oplog was replayed. */
  replayed?: ReplayCounts;
  /** When users and roles were asked for. */
  users?: RestoredUsers;
}

/**
 * Restores a dump into a deployment and compares what is there afterwards; then replays the oplog over it, if there is
 * any. @throws SourceError, see `planRestore`, `joinHistory`, `restoreDump` and `replayOplog`
 */
export async function restoreMongoDump(
  manifest: DumpManifest,
  open: OpenDumpFile,
  options: MongoRestoreOptions,
): Promise<MongoRestoreOutcome> {
  if (!options.isThrownAway) return restoreInto(manifest, open, options);
  const { drillRename, dropDrillDatabases } = await import('./drill-databases.ts');
  await dropDrillDatabases(options.url);
  try {
    return await restoreInto(manifest, open, { ...options, renames: [drillRename] });
  } finally {
    await dropDrillDatabases(options.url);
  }
}

async function restoreInto(
  manifest: DumpManifest,
  open: OpenDumpFile,
  options: MongoRestoreOptions,
): Promise<MongoRestoreOutcome> {
  const { MongoConnection } = await import('./connection.ts');
  const { planRestore } = await import('./restore-plan.ts');
  const { noneRestored, restoreDump } = await import('./restore-dump.ts');
  const { restoreDocuments } = await import('./restore-documents.ts');
  const { restoreUsers } = await import('./restore-users.ts');
  const { drop = false, collectionsAtOnce = 4 } = options;
  const history = options.ids ? undefined : await historyOf(manifest, open, options);
  if (history && options.resume)
    throw new SourceError('sources.target', 'a restore that replays an oplog cannot be resumed', {
      hint: 'What it had replayed is no longer what was dumped: restore anew, under another name or with --drop.',
    });
  const connection = await MongoConnection.open(options.url, { isWriting: true });
  try {
    if (!options.anyVersion) assertCompatible(manifest.server, connection.server);
    const plan = await planRestore(connection, manifest.collections, options);
    await options.onPlan?.(plan);
    if (options.dryRun) return noneRestored();
    if (options.ids) return await restoreDocuments(connection, plan.collections, open, options.ids);
    const isReplayed = history !== undefined;
    const settings = { ...options, drop, collectionsAtOnce, isReplayed };
    const restored = await restoreDump(connection, plan.collections, open, settings);
    const counts: MongoRestoreOutcome = options.users
      ? { ...restored, users: await restoreUsers(connection, manifest.collections, open, options.users) }
      : restored;
    if (!history) return counts;
    const { replayOplog } = await import('./oplog/replay-oplog.ts');
    const { choice = {} } = manifest;
    const { consistentAt } = history;
    const replayed = await replayOplog(connection, entriesThrough(history), {
      ...options,
      plan,
      choice,
      consistentAt,
    });
    const { indexes, views } = replayed;
    return { ...counts, indexes, views, replayed };
  } finally {
    await connection.close();
  }
}

/** Newer kinds of data do not fit into an older form. @throws SourceError 'sources.target' */
function assertCompatible(backup: ServerFacts, target: ServerFacts): void {
  const [stored, there] = [backup.featureCompatibility, target.featureCompatibility];
  if (stored === undefined || there === undefined) return;
  if (Number.parseFloat(there) >= Number.parseFloat(stored)) return;
  throw new SourceError(
    'sources.target',
    `the backup is of feature compatibility ${stored}, the target has ${there}`,
    { hint: 'Raise it with setFeatureCompatibilityVersion, or try it all the same with --any-version.' },
  );
}

async function historyOf(
  { oplog }: DumpManifest,
  open: OpenDumpFile,
  { slices = [], until }: MongoRestoreOptions,
): Promise<OplogHistory | undefined> {
  const captured = oplog?.captured;
  if (oplog)
    return joinHistory(oplog, {
      ...(captured
        ? { captured: { range: captured, open: () => open(`${dumpFolder}/${oplogFileName}`) } }
        : {}),
      slices,
      ...(until ? { until } : {}),
    });
  if (!until && slices.length === 0) return undefined;
  throw new SourceError(
    'sources.oplog-gap',
    'nothing of an oplog joins this backup: it has no entry to begin with',
    {
      hint: 'Only a backup of a replica set can be restored to a time; restore this one without --until.',
    },
  );
}
