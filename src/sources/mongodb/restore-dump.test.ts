import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { BSON } from 'mongodb';
import { mongoSource } from './mongo-source.ts';
import { type MongoRestoreOptions, restoreMongoDump } from './open-mongodb.ts';
import { readDumpBack } from './read-dump-back.ts';
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
  rawField('_id', 1),
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
