import type { Source } from '../source.ts';
import type { DumpManifest } from './manifest.ts';
import type { MongoSourceOptions } from './mongo-source.ts';
import type { DumpChoice } from './namespaces.ts';
import type { MongoPreflight } from './preflight.ts';
import type { OpenDumpFile } from './read-dump-back.ts';
import type { RestoreDumpOptions, RestoredCounts } from './restore-dump.ts';
import type { RestoreChoice, RestorePlan } from './restore-plan.ts';

// The driver is loaded when one of these is called.

/** A MongoDB deployment as a source. @throws SourceError, see `mongoSource` */
export async function openMongoSource(options: MongoSourceOptions): Promise<Source> {
  const { mongoSource } = await import('./mongo-source.ts');
  return mongoSource(options);
}

/** Tells what a dump would find and do. @throws SourceError */
export async function preflightMongo(options: DumpChoice & { url: string }): Promise<MongoPreflight> {
  return (await import('./preflight.ts')).preflightMongo(options);
}

export interface MongoRestoreOptions
  extends Omit<RestoreDumpOptions, 'drop' | 'collectionsAtOnce'>,
    RestoreChoice {
  /** Where to: `mongodb://…`. */
  url: string;
  collectionsAtOnce?: number | undefined;
  /** Only plan. */
  dryRun?: boolean | undefined;
  /** Called before anything is written. */
  onPlan?: ((plan: RestorePlan) => void) | undefined;
}

/** Restores a dump into a deployment and compares what is there afterwards. @throws SourceError, see `planRestore` and `restoreDump` */
export async function restoreMongoDump(
  manifest: DumpManifest,
  open: OpenDumpFile,
  options: MongoRestoreOptions,
): Promise<RestoredCounts> {
  const { MongoConnection } = await import('./connection.ts');
  const { planRestore } = await import('./restore-plan.ts');
  const { restoreDump } = await import('./restore-dump.ts');
  const { drop = false, collectionsAtOnce = 4 } = options;
  const connection = await MongoConnection.open(options.url, { isWriting: true });
  try {
    const plan = await planRestore(connection, manifest.collections, options);
    options.onPlan?.(plan);
    if (options.dryRun) return { collections: 0, views: 0, documents: 0, bytes: 0, indexes: 0, matched: 0 };
    return await restoreDump(connection, plan.collections, open, { ...options, drop, collectionsAtOnce });
  } finally {
    await connection.close();
  }
}
