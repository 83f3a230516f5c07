import { SourceError } from '../errors.ts';
import { documentsIn, findElement, textOf } from './bson-bytes.ts';
import { numberOf } from './bson-values.ts';
import type { MongoConnection } from './connection.ts';
import { type CollectionManifest, dumpFolder } from './manifest.ts';
import { insertRaw } from './raw-insert.ts';
import type { OpenDumpFile } from './read-dump-back.ts';

/** 'missing': those of a name that is there stay as they are. 'all': they are replaced, but never the account in use. */
export type UsersWish = 'missing' | 'all';

export interface RestoredUsers {
  users: number;
  roles: number;
  /** Names that stayed as they were in the target, and why. */
  left: { name: string; reason: string }[];
}

interface Kind {
  collection: 'system.users' | 'system.roles';
  /** Where they lie for a moment; the built-in role `restore` may read just this name. */
  temporary: 'tempusers' | 'temproles';
}

const kinds: { users: Kind; roles: Kind } = {
  users: { collection: 'system.users', temporary: 'tempusers' },
  roles: { collection: 'system.roles', temporary: 'temproles' },
};
const inUse = 'it belongs to the account in use';
const isThere = 'it is there already';
/** Schemas of credentials: which stored one fits into which target. */
const schemaPairs = new Set(['3 3', '3 5', '5 5', '1 1', '1 3']);
/** From MongoDB 8.1 on it is not told any more. */
const impliedSchema = 5;

/**
 * Brings users and roles back as mongorestore does: into two collections for a moment, from which the server itself
 * takes them.
 * @throws SourceError 'sources.absent' when the dump has none; 'sources.target' when the target's kind of credentials
 * is another
 */
export async function restoreUsers(
  connection: MongoConnection,
  collections: readonly CollectionManifest[],
  open: OpenDumpFile,
  wish: UsersWish,
): Promise<RestoredUsers> {
  const stored = {
    users: await storedIn(collections, open, kinds.users.collection),
    roles: await storedIn(collections, open, kinds.roles.collection),
  };
  if (!stored.users && !stored.roles)
    throw new SourceError('sources.absent', 'the backup holds no users and roles', {
      hint: 'They come with `holdfast backup --users`.',
    });
  await assertSchema(connection, await storedIn(collections, open, 'system.version'));
  const own = await ownNames(connection);
  const left: RestoredUsers['left'] = [];
  const wanted = { users: [] as Uint8Array[], roles: [] as Uint8Array[] };
  for (const kind of ['users', 'roles'] as const) {
    const there = wish === 'all' ? new Set<string>() : await namesIn(connection, kinds[kind].collection);
    for (const document of stored[kind] ?? []) {
      const name = textOf(document, '_id') ?? '';
      const reason = own[kind].has(name) ? inUse : there.has(name) ? isThere : undefined;
      if (reason) left.push({ name, reason });
      else wanted[kind].push(document);
    }
  }
  await merge(connection, wanted);
  return { users: wanted.users.length, roles: wanted.roles.length, left };
}

async function storedIn(
  collections: readonly CollectionManifest[],
  open: OpenDumpFile,
  name: string,
): Promise<Uint8Array[] | undefined> {
  const manifest = collections.find((one) => one.database === 'admin' && one.name === name);
  if (!manifest?.dataFile || !manifest.content) return undefined;
  const documents: Uint8Array[] = [];
  for await (const one of documentsIn(open(`${dumpFolder}/${manifest.dataFile}`)))
    documents.push(Buffer.from(one));
  return documents;
}

async function assertSchema(
  connection: MongoConnection,
  versions: readonly Uint8Array[] | undefined,
): Promise<void> {
  const document = versions?.find((one) => textOf(one, '_id') === 'authSchema');
  const stored = (document && numberOf(findElement(document, 'currentVersion'))) ?? impliedSchema;
  const reply = await connection.tryCommand('admin', { getParameter: 1, authSchemaVersion: 1 });
  const target = Number(reply?.authSchemaVersion ?? impliedSchema);
  if (schemaPairs.has(`${stored} ${target}`)) return;
  throw new SourceError(
    'sources.target',
    `credentials of schema ${stored} do not fit a server of schema ${target}`,
    {
      hint: 'Restore without --users, and make the users anew.',
    },
  );
}

/** The account that we are logged in as, and its roles: taking them away would lock us out. */
async function ownNames(connection: MongoConnection): Promise<{ users: Set<string>; roles: Set<string> }> {
  const status = await connection.command(
    'admin',
    { connectionStatus: 1 },
    'cannot see which account is in use',
  );
  const { authenticatedUsers = [], authenticatedUserRoles = [] } = status.authInfo ?? {};
  return {
    users: new Set(authenticatedUsers.map((one: { db: string; user: string }) => `${one.db}.${one.user}`)),
    roles: new Set(
      authenticatedUserRoles.map((one: { db: string; role: string }) => `${one.db}.${one.role}`),
    ),
  };
}

async function namesIn(connection: MongoConnection, collection: string): Promise<Set<string>> {
  const documents = await connection.rawDocuments(
    'admin',
    { find: collection, projection: { _id: 1 } },
    `cannot see which names are in admin.${collection}`,
  );
  return new Set(documents.map((one) => textOf(one, '_id') ?? ''));
}

async function merge(
  connection: MongoConnection,
  wanted: { users: readonly Uint8Array[]; roles: readonly Uint8Array[] },
): Promise<void> {
  const some = (['users', 'roles'] as const).filter((kind) => wanted[kind].length > 0);
  if (some.length === 0) return;
  const clear = async (): Promise<void> => {
    for (const kind of some) await connection.tryCommand('admin', { drop: kinds[kind].temporary });
  };
  await clear();
  try {
    for (const kind of some) await putAside(connection, kinds[kind], wanted[kind]);
    const from = (kind: 'users' | 'roles') => `admin.${kinds[kind].temporary}`;
    const command = {
      _mergeAuthzCollections: 1,
      ...(wanted.users.length > 0 ? { tempUsersCollection: from('users') } : {}),
      ...(wanted.roles.length > 0 ? { tempRolesCollection: from('roles') } : {}),
      // true would take away every other account.
      drop: false,
      db: '',
      writeConcern: { w: 'majority' },
    };
    await connection.command('admin', command, 'cannot restore users and roles');
  } finally {
    await clear();
  }
  for (const kind of some) {
    const there = await namesIn(connection, kinds[kind].collection);
    const lost = wanted[kind].map((one) => textOf(one, '_id') ?? '').filter((name) => !there.has(name));
    if (lost.length > 0)
      throw new SourceError('sources.mongodb', `the server did not take the ${kind} ${lost.join(', ')}`);
  }
}

async function putAside(
  connection: MongoConnection,
  { temporary }: Kind,
  documents: readonly Uint8Array[],
): Promise<void> {
  const place = { database: 'admin', collection: temporary, isOrdered: true, more: {} };
  const { refused } = await insertRaw(connection, documents, place);
  if (refused.length > 0)
    throw new SourceError('sources.mongodb', `cannot restore users and roles: ${refused[0]}`);
}
