import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { BSON } from 'mongodb';
import { mongoSource } from './mongo-source.ts';
import { type MongoRestoreOptions, restoreMongoDump } from './open-mongodb.ts';
import { readDumpBack } from './read-dump-back.ts';
import type { RestorePlan } from './restore-plan.ts';
import { type CollectedDump, collectDump } from './testing/collected-dump.ts';
import { rawDocument, rawField } from './testing/raw-document.ts';
import {
  type Script,
  type ScriptedCollection,
  type ScriptedMongo,
  startScriptedMongo,
} from './testing/scripted-mongo.ts';

const servers: ScriptedMongo[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

const bson = (value: object): Uint8Array => BSON.serialize(value);
/** No object can carry it, and its `_id` is not first. */
const wild = rawDocument([
  rawField('twice', 1),
  rawField('twice', 'two'),
  rawField('10', 1),
  rawField('2', 2),
  rawField('_id', 'wild'),
]);

type Databases = Map<string, Map<string, ScriptedCollection>>;

function source(): Databases {
  const orders = Array.from({ length: 40 }, (_, i) => bson({ _id: i, text: 'x'.repeat(i) }));
  return new Map([
    [
      'shop',
      new Map<string, ScriptedCollection>([
        [
          'orders',
          {
            documents: [wild, ...orders],
            indexes: [
              { v: 2, key: { at: 1 }, name: 'ttl', expireAfterSeconds: 60 },
              { v: 2, key: { '10': 1, '2': -1 }, name: 'numbers' },
            ],
          },
        ],
        ['log', { documents: [bson({ _id: 1 })], options: { capped: true, size: 4096 } }],
        ['cheap', { documents: [], type: 'view', options: { viewOn: 'orders', pipeline: [] } }],
        ['empty', { documents: [] }],
      ]),
    ],
  ]);
}

async function start(script: Script): Promise<ScriptedMongo> {
  const server = await startScriptedMongo(script);
  servers.push(server);
  return server;
}

async function dumped(): Promise<CollectedDump> {
  const server = await start({ databases: source() });
  return collectDump(mongoSource({ url: server.url }));
}

async function restored(dump: CollectedDump, script: Script, more: Partial<MongoRestoreOptions> = {}) {
  const server = await start(script);
  const problems: string[] = [];
  const counts = await restoreMongoDump(dump.manifest, (path) => filesOf(dump, path), {
    url: server.url,
    onProblem: ({ path, error, gravity }) => problems.push(`${gravity}: ${path}: ${error.message}`),
    signal: new AbortController().signal,
    ...more,
  });
  return { counts, problems, server };
}

async function* filesOf({ files }: CollectedDump, path: string): AsyncGenerator<Uint8Array> {
  yield files.get(path)!;
}

test('brings documents back byte for byte, with options, indexes and views, and finds them equal', async () => {
  const databases: Databases = new Map();
  const { counts, problems } = await restored(await dumped(), { databases });
  assert.deepEqual(problems, []);
  assert.deepEqual(counts, {
    collections: 3,
    views: 1,
    documents: 42,
    kept: 0,
    bytes: counts.bytes,
    indexes: 2,
    matched: 3,
  });
  const shop = databases.get('shop')!;
  assert.deepEqual(Buffer.from(shop.get('orders')!.documents[0]!), wild);
  assert.deepEqual(shop.get('log')!.options, { capped: true, size: 4096 });
  assert.equal(shop.get('cheap')!.type, 'view');
  // What deletes by time comes last; order of keys is BSON's.
  assert.deepEqual(
    shop.get('orders')!.indexes!.map(({ name }) => name),
    ['numbers', 'ttl'],
  );
});

test('what is there stays: beside it by default, refused with names, dropped only when its name was typed', async () => {
  const dump = await dumped();
  const taken = (): Databases =>
    new Map([['shop', new Map([['orders', { documents: [bson({ _id: 'precious' })] }]])]]);
  const beside = taken();
  await restored(dump, { databases: beside });
  assert.equal(beside.get('shop')!.get('orders')!.documents.length, 1);
  assert.equal(beside.get('shop_restored')!.get('orders')!.documents.length, 41);
  const renames = [{ from: 'shop.*', to: 'shop.*' }];
  for (const more of [{ renames }, { drop: true }, { drop: true, confirmed: ['shop.log', 'sho'] }]) {
    const databases = taken();
    await assert.rejects(restored(dump, { databases }, more), {
      code: 'sources.target',
      message: 'the target holds documents already: shop.orders',
    });
    assert.equal(databases.get('shop')!.get('orders')!.documents.length, 1);
  }
  const replaced = taken();
  const { problems } = await restored(dump, { databases: replaced }, { drop: true, confirmed: ['shop'] });
  assert.deepEqual(problems, []);
  assert.equal(replaced.get('shop')!.get('orders')!.documents.length, 41);
});

test('chooses and renames', async () => {
  const databases: Databases = new Map();
  const renames = [{ from: 'shop.*', to: 'copy.old_*' }];
  await restored(
    await dumped(),
    { databases },
    { renames, includes: ['shop.*'], excludes: ['*.log', '*.cheap'] },
  );
  assert.deepEqual([...databases.get('copy')!.keys()].sort(), ['old_empty', 'old_orders']);
});

test('documents that the target refuses, alters or loses are found', async () => {
  const dump = await dumped();
  const refusing = await restored(dump, {
    databases: new Map(),
    intercept: ({ insert }) =>
      insert === 'log'
        ? { n: 0, ok: 1, writeErrors: [{ index: 0, code: 121, errmsg: 'failed validation' }] }
        : undefined,
  });
  assert.deepEqual(refusing.problems, [
    'lost: shop.log: the server refused 1 of its documents: failed validation',
  ]);
  const losing = await restored(dump, {
    databases: new Map(),
    intercept: ({ insert }) => (insert === 'log' ? { n: 1, ok: 1 } : undefined),
  });
  assert.match(
    losing.problems.join(),
    /^lost: shop\.log: not as it was dumped: the target holds 0 documents/,
  );
  assert.equal(losing.counts.matched, 2);
});

test('an index that cannot be built is named, and the others are built', async () => {
  const { problems, counts } = await restored(await dumped(), {
    databases: new Map(),
    intercept: ({ createIndexes, indexes }) =>
      createIndexes && (indexes as { name: string }[]).some(({ name }) => name === 'ttl')
        ? { ok: 0, code: 67, errmsg: 'no such index' }
        : undefined,
  });
  assert.equal(counts.indexes, 1);
  assert.deepEqual(problems, [
    'odd: shop.orders: its index "ttl" was not built: cannot build the indexes of shop.orders: no such index',
    'lost: shop.orders: the target lacks its indexes ttl',
  ]);
});

test('a target that goes away ends the restore', async () => {
  const dump = await dumped();
  const script: Script = { databases: new Map(), intercept: ({ insert }) => (insert ? 'close' : undefined) };
  await assert.rejects(restored(dump, script), { code: 'sources.unreachable' });
});

test('read back finds every byte that is not what was dumped', async () => {
  const dump = await dumped();
  const readBack = async (): Promise<string[]> => {
    const problems: string[] = [];
    await readDumpBack(dump.manifest, (path) => filesOf(dump, path), {
      onProblem: ({ path, error }) => problems.push(`${path}: ${error.message}`),
    });
    return problems;
  };
  assert.deepEqual(await readBack(), []);
  const orders = Buffer.from(dump.files.get('dump/shop/orders.bson')!);
  for (const damage of [
    Buffer.concat([orders, bson({ _id: 'more' })]),
    orders.subarray(0, -1),
    orders.subarray(wild.length),
    orders.map((byte, i) => (i === orders.length - 3 ? byte ^ 1 : byte)),
  ]) {
    dump.files.set('dump/shop/orders.bson', damage);
    const problems = await readBack();
    assert.equal(problems.length, 1);
    assert.match(problems[0]!, /^shop\.orders: not as it was dumped: /);
  }
});

test('goes on with a restore that was interrupted: what is there counts when every byte fits', async () => {
  const dump = await dumped();
  const databases: Databases = new Map([
    [
      'shop',
      new Map([
        ['other', { documents: [bson({ _id: 1 })] }],
        ['orders', { documents: [bson({ _id: 'precious' })] }],
      ]),
    ],
  ]);
  let inserts = 0;
  const dies: Script = {
    databases,
    intercept: ({ insert }) => (insert && ++inserts > 1 ? 'close' : undefined),
  };
  await assert.rejects(restored(dump, dies, { collectionsAtOnce: 1 }), { code: 'sources.unreachable' });
  const half = databases.get('shop_restored')!;
  const { counts, problems } = await restored(dump, { databases }, { resume: true });
  assert.deepEqual(problems, []);
  assert.ok(counts.kept > 0, String(counts.kept));
  assert.equal(counts.kept + counts.documents, 42);
  assert.equal(counts.matched, 3);
  assert.ok(!databases.has('shop_restored2'));
  assert.equal(databases.get('shop')!.get('orders')!.documents.length, 1);
  half.get('orders')!.documents[3] = bson({ _id: 2, text: 'of others' });
  const differing = await restored(dump, { databases }, { resume: true });
  assert.match(
    differing.problems.join(),
    /lost: shop_restored\.orders: the server refused 1 of its documents: E11000/,
  );
});

test('a capped collection is not filled up, because its order is its meaning', async () => {
  const databases: Databases = new Map([['shop', new Map([['log', { documents: [bson({ _id: 7 })] }]])]]);
  const { problems } = await restored(
    await dumped(),
    { databases },
    { resume: true, includes: ['shop.log'] },
  );
  assert.match(problems.join(), /lost: shop\.log: a capped collection cannot be filled up/);
});

test('a dry run names conflicts and refuses nothing', async () => {
  const databases: Databases = new Map([['shop', new Map([['orders', { documents: [bson({ _id: 7 })] }]])]]);
  const plans: RestorePlan[] = [];
  const onPlan = (plan: RestorePlan): void => void plans.push(plan);
  await restored(await dumped(), { databases }, { drop: true, dryRun: true, onPlan });
  assert.deepEqual(plans[0]!.conflicts, ['shop.orders']);
  assert.equal(databases.get('shop')!.get('orders')!.documents.length, 1);
});

test('a target of a lower feature compatibility is refused unless it is said', async () => {
  const at = (version: string): Script => ({
    databases: source(),
    intercept: ({ getParameter }) =>
      getParameter ? { featureCompatibilityVersion: { version }, ok: 1 } : undefined,
  });
  const dump = await collectDump(mongoSource({ url: (await start(at('8.0'))).url }));
  await assert.rejects(restored(dump, { ...at('7.0'), databases: new Map() }), {
    code: 'sources.target',
    message: 'the backup is of feature compatibility 8.0, the target has 7.0',
  });
  await restored(dump, { ...at('7.0'), databases: new Map() }, { anyVersion: true });
});

/** A deployment with accounts, logged in as admin.root. */
function withAccounts(names: string[], roles: string[] = []): Script & { merged: object[] } {
  const list = (all: string[]) => ({ documents: all.map((_id) => bson({ _id, credentials: `of ${_id}` })) });
  const admin = new Map<string, ScriptedCollection>([
    ['system.users', list(names)],
    ['system.roles', list(roles)],
  ]);
  const databases: Databases = new Map([['admin', admin]]);
  const merged: object[] = [];
  return {
    databases,
    merged,
    intercept(command) {
      if (command.connectionStatus)
        return {
          authInfo: {
            authenticatedUsers: [{ user: 'root', db: 'admin' }],
            authenticatedUserRoles: [{ role: 'mine', db: 'admin' }],
          },
          ok: 1,
        };
      if (!command._mergeAuthzCollections) return undefined;
      const { tempUsersCollection, tempRolesCollection, drop, db } = command;
      merged.push({ tempUsersCollection, tempRolesCollection, drop, db });
      for (const [from, to] of [
        ['tempusers', 'system.users'],
        ['temproles', 'system.roles'],
      ] as const)
        for (const one of admin.get(from)?.documents ?? []) {
          const kept = admin
            .get(to)!
            .documents.filter((other) => BSON.deserialize(other)._id !== BSON.deserialize(one)._id);
          admin.set(to, { documents: [...kept, one] });
        }
      return { ok: 1 };
    },
  };
}

test('users and roles come by the server’s own merge, never those of the account in use', async () => {
  const from = withAccounts(['admin.root', 'shop.ada', 'shop.bob'], ['admin.mine', 'shop.clerk']);
  from.databases.set('shop', source().get('shop')!);
  const dump = await collectDump(mongoSource({ url: (await start(from)).url, withUsers: true }));
  const own = bson({ _id: 'admin.root', credentials: 'my own' });
  const target = (): ReturnType<typeof withAccounts> => {
    const script = withAccounts([], ['admin.mine']);
    script.databases
      .get('admin')!
      .set('system.users', { documents: [own, bson({ _id: 'shop.ada', credentials: 'new' })] });
    return script;
  };
  const missing = target();
  const { counts } = await restored(dump, missing, { users: 'missing' });
  assert.deepEqual(counts.users, {
    users: 1,
    roles: 1,
    left: [
      { name: 'admin.root', reason: 'it belongs to the account in use' },
      { name: 'shop.ada', reason: 'it is there already' },
      { name: 'admin.mine', reason: 'it belongs to the account in use' },
    ],
  });
  assert.deepEqual(missing.merged, [
    { tempUsersCollection: 'admin.tempusers', tempRolesCollection: 'admin.temproles', drop: false, db: '' },
  ]);
  assert.deepEqual([...missing.databases.get('admin')!.keys()].sort(), ['system.roles', 'system.users']);
  const all = target();
  assert.equal((await restored(dump, all, { users: 'all' })).counts.users!.users, 2);
  const users = all.databases
    .get('admin')!
    .get('system.users')!
    .documents.map((one) => BSON.deserialize(one));
  assert.deepEqual(users.map(({ _id, credentials }) => `${_id}: ${credentials}`).sort(), [
    'admin.root: my own',
    'shop.ada: of shop.ada',
    'shop.bob: of shop.bob',
  ]);
  await assert.rejects(restored(await dumped(), target(), { users: 'all' }), { code: 'sources.absent' });
});
