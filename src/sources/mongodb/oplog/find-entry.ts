import { type Document, ReadPreference, Timestamp } from 'mongodb';
import { SourceError } from '../../errors.ts';
import { findElement } from '../bson-bytes.ts';
import { documentIn, type OplogTime, timeOf } from '../bson-values.ts';
import type { MongoConnection } from '../connection.ts';
import { type OplogEntry, parseEntry } from './oplog-entry.ts';
import { describeTime } from './oplog-time.ts';

const what = 'cannot read the oplog (local.oplog.rs)';

/** Only what a majority has: another entry may be taken back. */
export const majority = { level: 'majority' } as const;

/**
 * The entry from which the oplog must be held so that everything that is read from now on can be completed by it: that
 * of the oldest transaction that is open, or the newest one.
 * @throws SourceError 'sources.access-denied', …
 */
export async function findStart(connection: MongoConnection): Promise<OplogEntry> {
  const newest = await newestEntry(connection);
  const open = await oldestOpenTransaction(connection);
  if (!open || open.t > newest.time.t) return newest;
  const filter = { ts: { $gte: timestampOf(open) } };
  const [found] = await findEntries(connection, { filter });
  return found ?? newest;
}

/** The oldest entry that is held. @throws SourceError 'sources.absent' when there is no oplog */
export function oldestEntry(connection: MongoConnection): Promise<OplogEntry> {
  return atEnd(connection, 1);
}

/** The newest entry that a majority has. @throws SourceError 'sources.absent' when there is no oplog */
export function newestEntry(connection: MongoConnection): Promise<OplogEntry> {
  return atEnd(connection, -1);
}

/** The time of the newest entry of all, whether a majority has it already or not: what was read may come from it. */
export async function newestTime(connection: MongoConnection): Promise<OplogTime> {
  const hello = await connection.tryCommand('admin', { hello: 1 }, ReadPreference.primaryPreferred);
  const time: unknown = hello?.lastWrite?.opTime?.ts;
  if (time instanceof Timestamp) return { t: time.t, i: time.i };
  return (await newestEntry(connection)).time;
}

export function timestampOf({ t, i }: OplogTime): Timestamp {
  return new Timestamp({ t, i });
}

async function atEnd(connection: MongoConnection, order: 1 | -1): Promise<OplogEntry> {
  const [found] = await findEntries(connection, { sort: { $natural: order } });
  if (found) return found;
  throw new SourceError('sources.absent', 'there is no oplog: local.oplog.rs is empty', {
    hint: 'Only members of a replica set have one; a single server becomes one by rs.initiate().',
  });
}

async function findEntries(connection: MongoConnection, more: Document): Promise<OplogEntry[]> {
  const command = { find: 'oplog.rs', ...more, limit: 1, singleBatch: true, readConcern: majority };
  return (await connection.rawDocuments('local', command, what)).map(parseEntry);
}

async function oldestOpenTransaction(connection: MongoConnection): Promise<OplogTime | undefined> {
  const command = {
    find: 'transactions',
    filter: { state: { $in: ['prepared', 'inProgress'] } },
    sort: { startOpTime: 1 },
    limit: 1,
    singleBatch: true,
  };
  const [found] = await connection.rawDocuments('config', command, 'cannot read which transactions are open');
  const start = found && documentIn(found, 'startOpTime');
  const time = start && findElement(start, 'ts');
  return time && timeOf(time.value);
}

/** Why an oplog goes on otherwise than it was left. */
export function rolledOver(after: OplogTime, oldest: OplogTime): SourceError {
  return new SourceError(
    'sources.oplog-gap',
    `the oplog rolled over: it begins at ${describeTime(oldest)}, after ${describeTime(after)} where it was left`,
    {
      hint: 'Make it larger (replSetResizeOplog), or back up more often; a new full backup begins a new chain.',
      context: { after, oldest },
    },
  );
}

export function rolledBack(after: OplogTime): SourceError {
  return new SourceError(
    'sources.oplog-rollback',
    `the oplog has another entry at ${describeTime(after)} than was read there: it was rolled back, or its member was made anew`,
    {
      hint: 'A new full backup begins a new chain; what was saved before restores up to that time only.',
      context: { after },
    },
  );
}
