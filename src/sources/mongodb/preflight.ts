import { MongoConnection, type ServerFacts } from './connection.ts';
import { chooseReadTime } from './consistency.ts';
import { type Listing, listNamespaces } from './list-namespaces.ts';
import type { DumpChoice } from './namespaces.ts';
import { findOplogStart, needsCapture } from './oplog/choose-capture.ts';
import { findWindow, foreseeSeconds, type OplogWindow, sliceSecondsMax } from './oplog/oplog-window.ts';
import { commandsForUser, missingPrivileges, neededPrivileges, type Privilege } from './rights.ts';

/** What a dump would find and do. */
export interface MongoPreflight {
  server: ServerFacts;
  databases: PreflightDatabase[];
  /** Whether it would be one point in time, for people. */
  consistency: string;
  /** What would be read, before anything is deduplicated or compressed, and how long it is reckoned to take; rather too long. */
  foreseen: { bytes: number; seconds: number };
  /** How far back the oplog reaches, or why there is none. */
  oplog: OplogOutlook | { absence: string };
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

export interface OplogOutlook extends OplogWindow {
  /** How long a dump is reckoned to take, rather too long. */
  dumpSeconds: number;
  /** Whether entries would go before the dump has ended, were they not read meanwhile. */
  rollsOver: boolean;
  /** Longest time between two slices. */
  sliceSecondsMax: number;
}

/** Looks, and changes nothing. @throws SourceError when it cannot connect, or may not even list */
export async function preflightMongo(options: DumpChoice & { url: string }): Promise<MongoPreflight> {
  const connection = await MongoConnection.open(options.url);
  try {
    const missing = await missingRights(connection, options);
    const listing = await listNamespaces(connection, options);
    const readTime = await chooseReadTime(connection, listing.collections);
    const databases = await describeDatabases(connection, listing);
    const bytes = databases.reduce((sum, { dataBytes = 0 }) => sum + dataBytes, 0);
    const foreseen = { bytes, seconds: foreseeSeconds(bytes) };
    const oplog = await oplogOutlook(connection, foreseen.seconds);
    const isCaptured =
      !('absence' in oplog) && (await needsCapture(connection, listing.collections, readTime));
    return {
      server: connection.server,
      databases,
      consistency: isCaptured
        ? 'one point in time by its oplog, which is captured while the dump runs'
        : readTime.consistency.sentence,
      foreseen,
      oplog,
      missing,
      commands: commandsForUser(options),
      unfitDatabases: listing.unfitDatabases,
    };
  } finally {
    await connection.close();
  }
}

async function oplogOutlook(
  connection: MongoConnection,
  dumpSeconds: number,
): Promise<MongoPreflight['oplog']> {
  const start = await findOplogStart(connection);
  if ('absence' in start) return start;
  const window = await findWindow(connection);
  const rollsOver = dumpSeconds > window.newestSeconds - window.oldestSeconds;
  return { ...window, dumpSeconds, rollsOver, sliceSecondsMax: sliceSecondsMax(window) };
}

async function missingRights(
  connection: MongoConnection,
  choice: DumpChoice,
): Promise<Privilege[] | undefined> {
  const status = await connection.tryCommand('admin', { connectionStatus: 1, showPrivileges: true });
  const info = status?.authInfo;
  if (!info || (info.authenticatedUsers ?? []).length === 0) return undefined;
  return missingPrivileges(
    (info.authenticatedUserPrivileges ?? []) as Privilege[],
    neededPrivileges(choice, { hasOplog: connection.server.topology === 'replica set' }),
  );
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
