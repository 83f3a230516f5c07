import { BSON, type Document } from 'mongodb';
import { mongoSource } from '../mongo-source.ts';
import { type MongoRestoreOptions, type MongoRestoreOutcome, restoreMongoDump } from '../open-mongodb.ts';
import { parseEntry } from '../oplog/oplog-entry.ts';
import type { OplogPart } from '../oplog/oplog-history.ts';
import { OplogRangeBuilder } from '../oplog/oplog-range.ts';
import { type CollectedDump, collectDump } from './collected-dump.ts';
import {
  type Script,
  type ScriptedCollection,
  type ScriptedMongo,
  startScriptedMongo,
} from './scripted-mongo.ts';
import { SkippingClock } from './skipping-clock.ts';

const servers: ScriptedMongo[] = [];

/** To be called after each test. */
export async function stopServers(): Promise<void> {
  for (const server of servers.splice(0)) await server.stop();
}

export type Databases = Map<string, Map<string, ScriptedCollection>>;

export const bson = (value: object): Uint8Array => BSON.serialize(value);
export const uuid = (digit: number): string => `0000000${digit}-0000-4000-8000-000000000000`;

async function start(script: Script): Promise<ScriptedMongo> {
  const server = await startScriptedMongo(script);
  servers.push(server);
  return server;
}

/** A dump of a replica set whose oplog is captured while it runs. */
export async function dumpOf(script: Script, more: object = {}): Promise<CollectedDump> {
  const server = await start({ setName: 'rs0', ...script });
  return collectDump(
    mongoSource({ url: server.url, clock: new SkippingClock(), collectionsAtOnce: 1, ...more }),
  );
}

/** Entries as a slice holds them. */
export function sliceOf(entries: readonly Uint8Array[]): OplogPart {
  const builder = new OplogRangeBuilder();
  for (const bytes of entries) builder.add(parseEntry(bytes));
  const all = Buffer.concat(entries);
  return {
    range: builder.range(),
    async *open() {
      yield all;
    },
  };
}

export interface Restored {
  outcome: MongoRestoreOutcome;
  databases: Databases;
  problems: string[];
}

export async function restored(
  dump: CollectedDump,
  more: Partial<MongoRestoreOptions> = {},
  script: Partial<Script> = {},
): Promise<Restored> {
  const databases = script.databases ?? new Map();
  const server = await start({ ...script, databases });
  const problems: string[] = [];
  async function* open(path: string): AsyncGenerator<Uint8Array> {
    yield dump.files.get(path)!;
  }
  const outcome = await restoreMongoDump(dump.manifest, open, {
    url: server.url,
    onProblem: ({ path, error, gravity }) => problems.push(`${gravity}: ${path}: ${error.message}`),
    signal: new AbortController().signal,
    ...more,
  });
  return { outcome, databases, problems };
}

export function documentsOf(databases: Databases, namespace: string): Document[] {
  const [database, name] = namespace.split('.');
  const found = databases.get(database!)?.get(name!)?.documents ?? [];
  return found.map((one) => BSON.deserialize(one)).sort((a, b) => Number(a._id) - Number(b._id));
}
