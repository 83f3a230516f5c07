import type { Timestamp } from 'mongodb';
import { documentOf } from './bson-build.ts';
import { type BsonElement, bsonTypes, findElement } from './bson-bytes.ts';
import { numberOf } from './bson-values.ts';
import { isCapped, optionsHas } from './collection-options.ts';
import type { MongoConnection } from './connection.ts';
import type { ListedCollection } from './list-namespaces.ts';
import { orderedDocument } from './ordered-document.ts';

/** Bounds of a part of a collection in the order of its `_id` index, as documents: from `min`, up to but without `max`. */
export interface IdRange {
  min?: Uint8Array;
  max?: Uint8Array;
}

/** A collection that holds so much is read in parts. */
const splitBytesMin = 1024 ** 3;
const rangeBytes = 256 * 1024 ** 2;
const rangesMax = 64;
/** The server draws so many for each part, so that parts come out about equal. */
const samplesPerRange = 20;
const what = 'cannot split a collection';

/**
 * Cuts a large collection into parts that can be read at once. Undefined: it is read by one cursor, because it is
 * small, of a kind that cannot be cut, of scattered ids, or of a server that ignores `min` and `max`.
 */
export async function chooseRanges(
  connection: MongoConnection,
  listed: ListedCollection,
  {
    atClusterTime,
    maxId,
    splitBytes = splitBytesMin,
  }: { atClusterTime: Timestamp | undefined; maxId: string | undefined; splitBytes?: number | undefined },
): Promise<IdRange[] | undefined> {
  const { database, name } = listed;
  if (!isCuttable(listed) || maxId === undefined) return undefined;
  const bytes = await dataBytesOf(connection, listed);
  if (bytes === undefined || bytes < splitBytes) return undefined;
  const count = Math.min(
    rangesMax,
    Math.max(2, Math.ceil(bytes / Math.max(1, Math.min(rangeBytes, splitBytes)))),
  );
  const bounds = await drawBounds(connection, listed, count);
  const [first] = bounds;
  if (!first || !bounds.every(isOrdinary)) return undefined;
  const readConcern = atClusterTime ? { readConcern: { level: 'snapshot', atClusterTime } } : {};
  const look = async (more: object): Promise<BsonElement | undefined> => {
    const command = { find: name, hint: { _id: 1 }, projection: { _id: 1 }, limit: 1, singleBatch: true };
    const [found] = await connection.rawDocuments(database, { ...command, ...more, ...readConcern }, what);
    return found && findElement(found, '_id');
  };
  const [least, last] = [
    await look({ min: orderedDocument(first) }),
    await look({ max: orderedDocument(first), sort: { _id: -1 } }),
  ];
  const bound = findElement(first, '_id')!;
  // A server that ignores them answers with the ends of the collection.
  if (!least || !isSame(least, bound) || !last || isSame(last, bound)) return undefined;
  const top = await look({ sort: { _id: -1 } });
  if (!top || isSame(top, last)) return undefined;
  return [...bounds, undefined].map((max, i) => {
    const min = bounds[i - 1];
    return { ...(min ? { min } : {}), ...(max ? { max } : {}) };
  });
}

function isCuttable({ database, type, options }: ListedCollection): boolean {
  if (['admin', 'config', 'local'].includes(database)) return false;
  if (type !== undefined && type !== 'collection') return false;
  return !isCapped(options) && !optionsHas(options, 'clusteredIndex');
}

/** Of every shard together. Undefined when the server does not tell. */
async function dataBytesOf(
  connection: MongoConnection,
  { database, name }: ListedCollection,
): Promise<number | undefined> {
  const pipeline = [{ $collStats: { storageStats: {} } }];
  const reply = await connection.tryCommand(database, { aggregate: name, pipeline, cursor: {} });
  const shards: { storageStats?: { size?: unknown } }[] = reply?.cursor?.firstBatch ?? [];
  const sizes = shards.map(({ storageStats }) => Number(storageStats?.size));
  return sizes.length > 0 && sizes.every(Number.isFinite)
    ? sizes.reduce((sum, one) => sum + one, 0)
    : undefined;
}

/** Drawn and sorted by the server itself: it knows the order, and the collation. */
async function drawBounds(
  connection: MongoConnection,
  { database, name }: ListedCollection,
  ranges: number,
): Promise<Uint8Array[]> {
  const pipeline = [
    { $sample: { size: ranges * samplesPerRange } },
    { $project: { _id: 1 } },
    { $sort: { _id: 1 } },
  ];
  const command = { aggregate: name, pipeline, cursor: {} };
  const drawn = await connection.rawDocuments(database, command, what).catch(() => []);
  const bounds = drawn.filter((_, i) => i > 0 && i % samplesPerRange === 0).map(onlyId);
  return bounds.filter((one, i) => i === 0 || Buffer.compare(one, bounds[i - 1]!) !== 0);
}

function onlyId(document: Uint8Array): Uint8Array {
  return documentOf([findElement(document, '_id')!]);
}

/** ObjectIds and numbers mostly grow, so that their index runs along the data; others would be fetched from all over it. */
function isOrdinary(bound: Uint8Array): boolean {
  const id = findElement(bound, '_id')!;
  return id.type === bsonTypes.objectId || numberOf(id) !== undefined;
}

function isSame(one: BsonElement, other: BsonElement): boolean {
  return one.type === other.type && Buffer.compare(one.value, other.value) === 0;
}
