import { MongoConnection, type ServerFacts } from './connection.ts';
import { chooseReadTime } from './consistency.ts';
import { type Listing, listNamespaces } from './list-namespaces.ts';
import type { DumpChoice } from './namespaces.ts';
import { commandsForUser, missingPrivileges, neededPrivileges, type Privilege } from './rights.ts';

/** What a dump would find and do. */
export interface MongoPreflight {
  server: ServerFacts;
  databases: PreflightDatabase[];
  /** Whether it would be one point in time, for people. */
  consistency: string;
  /** Undefined where the server does not say who we are or asks for no login. */
  missing: Privilege[] | undefined;
  /** Makes a user with just the rights that are needed. */
  commands: ReturnType<typeof commandsForUser>;
  /** Databases whose names cannot be folders: they would be lost. */
  unfitDatabases: string[];
}

export interface PreflightDatabase {
  name: string;
  collections: number;
  views: number;
  /** By the server's statistics; undefined where it does not tell. */
  documents: number | undefined;
  dataBytes: number | undefined;
}

/** Looks, and changes nothing. @throws SourceError when it cannot connect, or may not even list */
export async function preflightMongo(options: DumpChoice & { url: string }): Promise<MongoPreflight> {
  const connection = await MongoConnection.open(options.url);
  try {
    const missing = await missingRights(connection, options);
    const listing = await listNamespaces(connection, options);
    const { consistency } = await chooseReadTime(connection, listing.collections);
    return {
      server: connection.server,
      databases: await describeDatabases(connection, listing),
      consistency: consistency.sentence,
      missing,
      commands: commandsForUser(options),
      unfitDatabases: listing.unfitDatabases,
    };
  } finally {
    await connection.close();
  }
}

async function missingRights(
  connection: MongoConnection,
  choice: DumpChoice,
): Promise<Privilege[] | undefined> {
  const status = await connection.tryCommand('admin', { connectionStatus: 1, showPrivileges: true });
  const info = status?.authInfo;
  if (!info || (info.authenticatedUsers ?? []).length === 0) return undefined;
  return missingPrivileges((info.authenticatedUserPrivileges ?? []) as Privilege[], neededPrivileges(choice));
}

async function describeDatabases(
  connection: MongoConnection,
  { collections }: Listing,
): Promise<PreflightDatabase[]> {
  const described: PreflightDatabase[] = [];
  for (const name of new Set(collections.map(({ database }) => database))) {
    const own = collections.filter(({ database }) => database === name);
    const views = own.filter(({ type }) => type === 'view').length;
    const stats = await connection.tryCommand(name, { dbStats: 1 });
    described.push({
      name,
      collections: own.length - views,
      views,
      documents: stats === undefined ? undefined : Number(stats.objects),
      dataBytes: stats === undefined ? undefined : Number(stats.dataSize),
    });
  }
  return described;
}
