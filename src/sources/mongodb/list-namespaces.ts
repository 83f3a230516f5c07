import { bsonTypes, findElement, textOf } from './bson-bytes.ts';
import { documentIn, uuidIn } from './bson-values.ts';
import type { MongoConnection } from './connection.ts';
import { isDatabaseName } from './dump-names.ts';
import { type DumpChoice, isDumpedCollection, isDumpedDatabase } from './namespaces.ts';

/** A collection, view or time series as the server lists it. */
export interface ListedCollection {
  database: string;
  name: string;
  /** `collection`, `view`, `timeseries`; absent when the server sends none. */
  type: string | undefined;
  /** 32 lower-case hex digits. */
  uuid: string | undefined;
  /** The document of listCollections. */
  info: Uint8Array;
  /** The document of `options` in it. */
  options: Uint8Array | undefined;
  /** The documents of listIndexes. */
  indexes: readonly Uint8Array[];
}

export interface Listing {
  collections: ListedCollection[];
  /** Databases whose name cannot be a folder. */
  unfitDatabases: string[];
}

/** Everything that a dump by this choice would hold, in order of names. */
export async function listNamespaces(connection: MongoConnection, choice: DumpChoice): Promise<Listing> {
  const listing: Listing = { collections: [], unfitDatabases: [] };
  for (const database of await databaseNames(connection, choice)) {
    if (!isDatabaseName(database)) listing.unfitDatabases.push(database);
    else listing.collections.push(...(await listCollections(connection, database, choice)));
  }
  return listing;
}

async function databaseNames(connection: MongoConnection, choice: DumpChoice): Promise<string[]> {
  // A user of one database may not list all of them.
  if (choice.database !== undefined) return [choice.database];
  const { databases } = await connection.command(
    'admin',
    { listDatabases: 1, nameOnly: true },
    'cannot list the databases',
  );
  return (databases as { name: string }[])
    .map(({ name }) => name)
    .filter((name) => isDumpedDatabase(name, choice))
    .sort();
}

async function listCollections(
  connection: MongoConnection,
  database: string,
  choice: DumpChoice,
): Promise<ListedCollection[]> {
  const infos = await connection.rawDocuments(
    database,
    { listCollections: 1 },
    `cannot list the collections of ${database}`,
  );
  const listed: ListedCollection[] = [];
  for (const info of infos) {
    const name = textOf(info, 'name')!;
    if (!isDumpedCollection(database, name, choice)) continue;
    const type = textOf(info, 'type');
    const indexes = type === 'view' ? [] : await listIndexes(connection, database, name);
    const inner = documentIn(info, 'info');
    const uuid = inner && uuidIn(inner, 'uuid');
    listed.push({ database, name, type, uuid, info, options: optionsOf(info), indexes });
  }
  return listed;
}

async function listIndexes(
  connection: MongoConnection,
  database: string,
  name: string,
): Promise<Uint8Array[]> {
  const what = `cannot list the indexes of ${database}.${name}`;
  return connection.rawDocuments(database, { listIndexes: name }, what);
}

function optionsOf(info: Uint8Array): Uint8Array | undefined {
  const options = findElement(info, 'options');
  if (options?.type !== bsonTypes.document || options.value.length === 5) return undefined;
  return options.value;
}
