import { hash } from 'node:crypto';
import { SourceError } from '../../errors.ts';
import { bsonTypes, elementsOf, findElement, stringOf } from '../bson-bytes.ts';
import { documentIn, numberOf, type OplogTime, timeOf, uuidIn } from '../bson-values.ts';

/** One change, of an entry of its own or inside a transaction's. Source: MongoDB's oplog_entry.idl. */
export interface OplogOperation {
  time: OplogTime;
  /** `i`, `u`, `d`, `c`, `n`. */
  op: string;
  namespace: string;
  o: Uint8Array;
  o2?: Uint8Array;
  /** Of the collection; 32 lower-case hex digits. */
  uuid?: string;
}

export interface OplogEntry extends OplogOperation {
  bytes: Uint8Array;
  term: number;
  wall?: Date;
  /** Session and number, when it belongs to a transaction of several entries. */
  transaction?: string;
  /** The transaction's entry before; undefined for its first one. */
  previous?: OplogTime;
}

/** An entry as it is found again: the oplog of a member that has another one there is another history. */
export interface OplogMark extends OplogTime {
  term: number;
  /** SHA-256 of the entry's bytes. */
  hash: string;
  /** ISO 8601, by the server's clock, where the entry tells it. */
  wall?: string;
}

/** @throws SourceError 'sources.damaged' */
export function parseEntry(bytes: Uint8Array): OplogEntry {
  const fields = new Map([...elementsOf(bytes)].map((element) => [element.name, element]));
  const time = fields.get('ts');
  if (time?.type !== bsonTypes.timestamp) throw damaged('it has no time');
  const wall = fields.get('wall');
  const transaction = transactionOf(bytes);
  const previous = documentIn(bytes, 'prevOpTime');
  const previousTime = previous && findElement(previous, 'ts');
  const isFirst = !previousTime || timeOf(previousTime.value).t === 0;
  return {
    ...parseOperation(bytes, timeOf(time.value)),
    bytes,
    term: numberOf(fields.get('t')) ?? -1,
    ...(wall?.type === bsonTypes.date ? { wall: new Date(Number(dateOf(wall.value))) } : {}),
    ...(transaction ? { transaction } : {}),
    ...(isFirst ? {} : { previous: timeOf(previousTime.value) }),
  };
}

/** @param time of the entry that it stands in @throws SourceError 'sources.damaged' */
export function parseOperation(bytes: Uint8Array, time: OplogTime): OplogOperation {
  const [op, namespace] = ['op', 'ns'].map((name) => findElement(bytes, name));
  if (op?.type !== bsonTypes.string || namespace?.type !== bsonTypes.string)
    throw damaged('it has no operation');
  const o2 = documentIn(bytes, 'o2');
  const uuid = uuidIn(bytes, 'ui');
  return {
    time,
    op: stringOf(op.value),
    namespace: stringOf(namespace.value),
    // Entries of later servers' own kinds need not have it.
    o: documentIn(bytes, 'o') ?? emptyDocument,
    ...(o2 ? { o2 } : {}),
    ...(uuid ? { uuid } : {}),
  };
}

export function markOf({ bytes, time, term, wall }: OplogEntry): OplogMark {
  return {
    ...time,
    term,
    hash: hash('sha256', bytes),
    ...(wall && !Number.isNaN(wall.getTime()) ? { wall: wall.toISOString() } : {}),
  };
}

const emptyDocument = Buffer.from([5, 0, 0, 0, 0]);

function transactionOf(bytes: Uint8Array): string | undefined {
  const session = documentIn(bytes, 'lsid');
  const number = numberOf(findElement(bytes, 'txnNumber'));
  // 1: an `applyOps` of many inserts that stands alone, though it has both.
  if (!session || number === undefined || numberOf(findElement(bytes, 'multiOpType')) === 1) return undefined;
  return `${Buffer.from(session).toString('base64')}/${number}`;
}

function dateOf(value: Uint8Array): bigint {
  return Buffer.from(value.buffer, value.byteOffset, value.length).readBigInt64LE();
}

function damaged(reason: string): SourceError {
  return new SourceError('sources.damaged', `not an entry of an oplog: ${reason}`);
}
