import { type Clock, type FileAttributes, systemClock } from '#base';
import { plainAttributes } from '../plain-attributes.ts';
import type { Source, SourceEvent } from '../source.ts';
import { MongoConnection } from './connection.ts';
import { Dump } from './dump.ts';
import type { DumpFile } from './dump-file.ts';
import { dumpStemOf } from './dump-names.ts';
import { dumpFolder, manifestName } from './manifest.ts';
import { folderOf, parseMongoUrl } from './mongo-url.ts';
import { type DumpChoice, namespaceFilter } from './namespaces.ts';
import type { OplogWish } from './oplog/choose-capture.ts';

export interface MongoSourceOptions extends DumpChoice {
  /** `mongodb://…` or `mongodb+srv://…`; its password never leaves in errors or paths. */
  url: string;
  /** How many collections are read at once. */
  collectionsAtOnce?: number | undefined;
  /** Most documents of one reply. */
  batchSize?: number | undefined;
  /** Whether the oplog comes with it; by default where snapshot reads do not make it one point in time. */
  oplog?: OplogWish | undefined;
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
  return {
    paths: [`/${parts.join('/')}`],
    // The oplog is read all the while.
    streamConcurrency: collectionsAtOnce + 1,
    async *read(signal) {
      const connection = await MongoConnection.open(url);
      try {
        const { batchSize = defaults.batchSize, oplog = defaults.oplog } = options;
        const settings = { ...options, batchSize, oplog, collectionsAtOnce, clock };
        const dump = await Dump.begin(connection, settings, signal);
        yield* eventsOf(dump, folder, clock);
      } finally {
        await connection.close();
      }
    },
    close: async () => {},
  };
}

async function* eventsOf(dump: Dump, folder: string, clock: Clock): AsyncGenerator<SourceEvent> {
  const attributes = attributesAt(clock.nowMs());
  const directory = (...names: string[]): SourceEvent => ({
    kind: 'entry',
    path: pathOf(folder, ...names),
    attributes: attributes.dir,
  });
  const leave = (...names: string[]): SourceEvent => ({ kind: 'leave', path: pathOf(folder, ...names) });
  const file = (names: string[], { isVital, open }: Omit<DumpFile, 'name'>): SourceEvent => ({
    kind: 'entry',
    path: pathOf(folder, ...names),
    attributes: attributes.file,
    content: { open, isVital },
  });
  yield directory();
  yield directory(dumpFolder);
  for (const entry of dump.entries()) {
    if (!('files' in entry)) yield file([dumpFolder, entry.name], entry);
    else {
      yield directory(dumpFolder, entry.name);
      for (const one of entry.files) yield file([dumpFolder, entry.name, one.name], one);
      yield leave(dumpFolder, entry.name);
    }
  }
  yield leave(dumpFolder);
  for (const problem of await dump.finish()) yield { kind: 'problem', problem };
  yield file([manifestName], { isVital: true, open: () => dump.manifest() });
  yield leave();
}

function pathOf(...names: string[]): Uint8Array[] {
  return names.map((name) => Buffer.from(name));
}

function attributesAt(nowMs: number): { dir: FileAttributes; file: FileAttributes } {
  const timeNs = BigInt(Math.round(nowMs)) * 1_000_000n;
  // A dump is for its owner's eyes when it is restored.
  return {
    dir: { ...plainAttributes('dir', timeNs), mode: 0o700 },
    file: { ...plainAttributes('file', timeNs), mode: 0o600 },
  };
}
