import { type Clock, systemClock } from '#base';
import type { Source } from '../source.ts';
import { MongoConnection } from './connection.ts';
import { Dump } from './dump.ts';
import { dumpEvents } from './dump-events.ts';
import { dumpStemOf } from './dump-names.ts';
import { dumpFolder } from './manifest.ts';
import { folderOf, parseMongoUrl } from './mongo-url.ts';
import { type DumpChoice, namespaceFilter } from './namespaces.ts';
import type { OplogWish } from './oplog/choose-capture.ts';
import { oplogTagText } from './oplog/oplog-tag.ts';

export interface MongoSourceOptions extends DumpChoice {
  /** `mongodb://…` or `mongodb+srv://…`; its password never leaves in errors or paths. */
  url: string;
  /** How many collections are read at once. */
  collectionsAtOnce?: number | undefined;
  /** Most documents of one reply. */
  batchSize?: number | undefined;
  /** Whether the oplog comes with it; by default where snapshot reads do not make it one point in time. */
  oplog?: OplogWish | undefined;
  /** A collection that holds so much is read in parts, some at once; 1 GiB by default. */
  splitBytes?: number | undefined;
  /** Reading pauses while a secondary is further behind; a minute by default. */
  lagMsMax?: number | undefined;
  /** Most that is read of the server. */
  bytesPerSecond?: number | undefined;
  clock?: Clock | undefined;
}

const defaults = { collectionsAtOnce: 4, batchSize: 100_000, oplog: 'auto' as const };

/**
 * A deployment, or a part of it, as the folder that mongodump makes: `/mongodb-HOST/dump/…`, and beside it the
 * manifest, which comes last.
 * @throws SourceError 'sources.location' | 'sources.pattern'
 */
export function mongoSource(options: MongoSourceOptions): Source {
  const { url, collectionsAtOnce = defaults.collectionsAtOnce, database, collection } = options;
  const clock = options.clock ?? systemClock;
  const folder = folderOf(parseMongoUrl(url));
  namespaceFilter(options);
  const parts = [
    folder,
    ...(database ? [dumpFolder, database] : []),
    ...(collection ? [dumpStemOf(collection)] : []),
  ];
  let dump: Dump | undefined;
  return {
    lateTags() {
      const last = dump?.oplog?.last;
      return last ? [oplogTagText({ to: last })] : [];
    },
    paths: [`/${parts.join('/')}`],
    // The oplog is read all the while.
    streamConcurrency: collectionsAtOnce + 1,
    async *read(signal) {
      const connection = await MongoConnection.open(url);
      try {
        const { batchSize = defaults.batchSize, oplog = defaults.oplog } = options;
        const settings = { ...options, batchSize, oplog, collectionsAtOnce, clock };
        dump = await Dump.begin(connection, settings, signal);
        yield* dumpEvents(dump, folder, clock);
      } finally {
        await connection.close();
      }
    },
    close: async () => {},
  };
}
