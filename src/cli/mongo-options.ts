import { type Command, Option } from 'commander';
import { type DumpChoice, openMongoSource, type Source } from '#sources';
import { parseDurationMs } from './global-options.ts';
import { collectText, parseCount, parseSize } from './values.ts';

/** Options of a backup whose source is a MongoDB deployment. */
export interface MongoOptions {
  db?: string;
  collection?: string;
  nsInclude?: string[];
  nsExclude?: string[];
  users: boolean;
  oplog: 'auto' | 'always' | 'never';
  collectionsAtOnce?: number;
  batchSize?: number;
  limitRead?: number;
  maxLag?: number;
}

export function addMongoOptions(command: Command): Command {
  return command
    .option('--db <name>', 'MongoDB: only this database')
    .option('--collection <name>', 'MongoDB: only this collection of it')
    .option(
      '--ns-include <pattern>',
      'MongoDB: only such namespaces, like shop.* (may be repeated)',
      collectText,
    )
    .option('--ns-exclude <pattern>', 'MongoDB: not such namespaces (may be repeated)', collectText)
    .option('--users', 'MongoDB: users and roles too', false)
    .addOption(
      new Option('--oplog <when>', 'MongoDB: capture the oplog while a dump runs (auto: where it is needed)')
        .choices(['auto', 'always', 'never'])
        .default('auto'),
    )
    .option('--collections-at-once <count>', 'MongoDB: how many are read at once (4)', parseCount)
    .option('--batch-size <count>', 'MongoDB: most documents of one reply (100000)', parseCount)
    .option(
      '--max-lag <duration>',
      'MongoDB: pause while a secondary is further behind (1m)',
      parseDurationMs,
    )
    .option('--limit-read <rate>', 'MongoDB: most bytes per second that are read (20M)', parseSize);
}

export function choiceOf(options: MongoOptions): DumpChoice {
  return {
    database: options.db,
    collection: options.collection,
    includes: options.nsInclude,
    excludes: options.nsExclude,
    withUsers: options.users,
  };
}

/** @throws SourceError */
export function mongoSourceOf(url: string, options: MongoOptions): Promise<Source> {
  return openMongoSource({
    url,
    ...choiceOf(options),
    oplog: options.oplog,
    collectionsAtOnce: options.collectionsAtOnce,
    batchSize: options.batchSize,
    bytesPerSecond: options.limitRead,
    lagMsMax: options.maxLag,
  });
}
