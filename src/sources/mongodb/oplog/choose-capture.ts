import type { MongoConnection } from '../connection.ts';
import { canBeAtTime, type ReadTime } from '../consistency.ts';
import type { ListedCollection } from '../list-namespaces.ts';
import type { DumpOplog } from '../manifest.ts';
import { isUnreachable } from '../mongo-error.ts';
import { findStart } from './find-entry.ts';
import type { OplogCapture } from './oplog-capture.ts';
import { markOf, type OplogEntry } from './oplog-entry.ts';
import { foreseeSeconds } from './oplog-window.ts';

/** Whether the oplog is captured while a dump runs: where snapshot reads do not do, whatever they do, or not. */
export type OplogWish = 'auto' | 'always' | 'never';

/** The entry to hold the oplog from, or why there is none. */
export type OplogStart = { entry: OplogEntry } | { absence: string };

/** A server promises no more history than this unless it was set otherwise. */
const historySecondsDefault = 300;

/** Looked for before anything is listed or read. @throws SourceError 'sources.unreachable' */
export async function findOplogStart(connection: MongoConnection): Promise<OplogStart> {
  const { topology } = connection.server;
  if (topology === 'standalone') return { absence: 'a standalone server has no oplog' };
  if (topology === 'sharded') return { absence: 'a sharded cluster has an oplog for each shard' };
  try {
    return { entry: await findStart(connection) };
  } catch (error) {
    if (isUnreachable(error)) throw error;
    return { absence: (error as Error).message };
  }
}

/** Whether snapshot reads alone do not make the dump one point in time. */
export async function needsCapture(
  connection: MongoConnection,
  collections: readonly ListedCollection[],
  { atClusterTime }: ReadTime,
  bytesPerSecond?: number,
): Promise<boolean> {
  if (!atClusterTime) return true;
  const data = collections.filter(({ database, type }) => type !== 'view' && !systemDatabases.has(database));
  if (data.some((one) => !canBeAtTime(connection, one))) return true;
  const seconds = foreseeSeconds(await dataBytes(connection, data), bytesPerSecond);
  return seconds > (await historySeconds(connection));
}

/** What of the oplog belongs to a dump, when it has ended. */
export function dumpOplogOf(
  start: OplogStart,
  { atClusterTime }: ReadTime,
  capture: OplogCapture | undefined,
): DumpOplog | undefined {
  if (!('entry' in start)) return undefined;
  const captured = capture?.range;
  if (captured)
    return { captured, last: captured.last, consistentAt: { t: captured.last.t, i: captured.last.i } };
  if (!atClusterTime) return undefined;
  return { last: markOf(start.entry), consistentAt: { t: atClusterTime.t, i: atClusterTime.i } };
}

const systemDatabases = new Set(['admin', 'config', 'local']);

async function dataBytes(connection: MongoConnection, data: readonly ListedCollection[]): Promise<number> {
  let bytes = 0;
  for (const name of new Set(data.map(({ database }) => database)))
    bytes += Number((await connection.tryCommand(name, { dbStats: 1 }))?.dataSize ?? 0);
  return bytes;
}

/** How long a snapshot read may take. */
async function historySeconds(connection: MongoConnection): Promise<number> {
  const command = { getParameter: 1, minSnapshotHistoryWindowInSeconds: 1 };
  const reply = await connection.tryCommand('admin', command);
  return Number(reply?.minSnapshotHistoryWindowInSeconds ?? historySecondsDefault);
}
