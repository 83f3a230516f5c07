import { Timestamp } from 'mongodb';
import { bsonTypes, findElement } from './bson-bytes.ts';
import type { MongoConnection } from './connection.ts';
import type { ListedCollection } from './list-namespaces.ts';
import type { Consistency } from './manifest.ts';
import { mongoCodeOf, mongoErrorCodes } from './mongo-error.ts';

/** From this wire version on (MongoDB 5.0) a server knows snapshot reads outside transactions. */
const snapshotWireVersion = 13;
/** From this one on (8.0) also of capped collections. */
const cappedSnapshotWireVersion = 25;
/** The server's first choice of a time may be too old already in a race. */
const attemptsMax = 3;

/** At which time a dump is read. */
export interface ReadTime {
  consistency: Consistency;
  atClusterTime: Timestamp | undefined;
}

export const notOneTime =
  'not a single point in time: documents that change while the dump runs may be of different times';

/** Finds a time at which all collections can be read, where the server has such; proves that it honours it. */
export async function chooseReadTime(
  connection: MongoConnection,
  collections: readonly ListedCollection[],
): Promise<ReadTime> {
  const { topology, wireVersion } = connection.server;
  if (topology === 'standalone') return without(`${notOneTime} (a standalone server keeps no history)`);
  if (wireVersion < snapshotWireVersion)
    return without(`${notOneTime} (snapshot reads need MongoDB 5.0; this is ${connection.server.version})`);
  const probe = collections.find((one) => one.type !== 'view' && canBeAtTime(connection, one));
  if (!probe) return without('nothing was there to be read at one time');
  if (await isTimeIgnored(connection, probe))
    return without(`${notOneTime} (the server accepts snapshot reads and ignores them)`);
  const atClusterTime = await newestTime(connection, probe);
  if (!atClusterTime) return without(`${notOneTime} (the server gave no time for a snapshot)`);
  return {
    atClusterTime,
    consistency: {
      kind: 'snapshot',
      sentence: `one point in time: everything was read as it was at ${new Date(atClusterTime.t * 1000).toISOString()}`,
      atClusterTime: { t: atClusterTime.t, i: atClusterTime.i },
      notAtTime: [],
    },
  };
}

function without(sentence: string): ReadTime {
  return { atClusterTime: undefined, consistency: { kind: 'none', sentence, notAtTime: [] } };
}

/** Whether a snapshot read of it may be expected to work: not of system databases, nor of capped collections before 8.0. */
export function canBeAtTime({ server }: MongoConnection, { database, options }: ListedCollection): boolean {
  if (['admin', 'config', 'local'].includes(database)) return false;
  const capped = options && findElement(options, 'capped');
  const isCapped = capped?.type === bsonTypes.boolean && capped.value[0] === 1;
  return !isCapped || server.wireVersion >= cappedSnapshotWireVersion;
}

/**
 * Whether the server really reads a collection at that time: its answer must say so. One that ignores the wish
 * answers without a time.
 */
export async function isReadAt(
  connection: MongoConnection,
  place: { database: string; collection: string },
  atClusterTime: Timestamp,
): Promise<boolean> {
  const told = await timeOfRead(connection, place, { level: 'snapshot', atClusterTime });
  return told?.equals(atClusterTime) ?? false;
}

/** At the beginning of time there is no history: a server that answers does not look at the time. */
async function isTimeIgnored(connection: MongoConnection, probe: ListedCollection): Promise<boolean> {
  const readConcern = { level: 'snapshot', atClusterTime: new Timestamp({ t: 1, i: 1 }) };
  try {
    await timeOfRead(connection, { database: probe.database, collection: probe.name }, readConcern);
    return true;
  } catch (error) {
    if (mongoCodeOf(error) === undefined) throw error;
    return false;
  }
}

async function newestTime(
  connection: MongoConnection,
  probe: ListedCollection,
): Promise<Timestamp | undefined> {
  const place = { database: probe.database, collection: probe.name };
  for (let attempt = 1; ; attempt++) {
    try {
      return await timeOfRead(connection, place, { level: 'snapshot' });
    } catch (error) {
      const code = mongoCodeOf(error);
      if (code === undefined) throw error;
      if (code !== mongoErrorCodes.snapshotTooOld || attempt === attemptsMax) return undefined;
    }
  }
}

async function timeOfRead(
  connection: MongoConnection,
  { database, collection }: { database: string; collection: string },
  readConcern: object,
): Promise<Timestamp | undefined> {
  const command = { find: collection, filter: {}, limit: 1, singleBatch: true, readConcern };
  const reply = await connection.command(
    database,
    command,
    `cannot read ${database}.${collection} at one time`,
  );
  const time: unknown = reply.cursor?.atClusterTime;
  return time instanceof Timestamp ? time : undefined;
}
