import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { BSON } from 'mongodb';
import { mongoSource } from './mongo-source.ts';
import { type CollectedDump, collectDump } from './testing/collected-dump.ts';
import { rawDocument, rawField } from './testing/raw-document.ts';
import {
  type Script,
  type ScriptedCollection,
  type ScriptedMongo,
  snapshotTime,
  startScriptedMongo,
} from './testing/scripted-mongo.ts';

let server: ScriptedMongo | undefined;
afterEach(() => server?.stop());

const uuid = (digit: number): string => `0000000${digit}-0000-4000-8000-000000000000`;
const bson = (value: object): Uint8Array => BSON.serialize(value);

function shop(collections: Record<string, Partial<ScriptedCollection>>): Script['databases'] {
  const list = Object.entries(collections).map(([name, one], i): [string, ScriptedCollection] => [
    name,
    { documents: [bson({ _id: 1 })], uuid: uuid(i), ...one },
  ]);
  return new Map([['shop', new Map(list)]]);
}

async function dump(script: Script, more: object = {}): Promise<CollectedDump> {
  server = await startScriptedMongo(script);
  return collectDump(mongoSource({ url: server.url, ...more }));
}

/** Two fields of one name, number-like names out of order, a type that objects lose: no object can carry it. */
const wild = rawDocument([
  rawField('_id', 1),
  rawField('twice', 'one'),
  rawField('twice', 'two'),
  rawField('10', new BSON.Double(3)),
  rawField('2', BSON.Long.fromNumber(1)),
  { name: 'gone', type: 0x06, value: Buffer.alloc(0) },
]);

test('documents come as they are: names twice, numbers out of order, types that objects lose', async () => {
  const { files, manifest } = await dump({ databases: shop({ wild: { documents: [wild] } }) });
  assert.deepEqual(files.get('dump/shop/wild.bson'), wild);
  assert.equal(manifest.collections[0]!.content!.count, 1);
});

test('many replies make one file', async () => {
  const documents = Array.from({ length: 250 }, (_, i) => bson({ _id: i, text: 'x'.repeat(i) }));
  const { files, manifest, problems } = await dump({ databases: shop({ many: { documents } }) });
  assert.deepEqual(Buffer.from(files.get('dump/shop/many.bson')!), Buffer.concat(documents));
  assert.deepEqual(manifest.collections[0]!.counted, { before: 250, after: 250 });
  assert.deepEqual(problems, []);
});

test('metadata of collections with options, views and time series is mongodump’s', async () => {
  const { files } = await dump({
    databases: shop({
      capped: {
        options: { capped: true, size: 4096 },
        indexes: [{ v: 2, key: { a: -1 }, name: 'a_-1', unique: true }],
      },
      cheap: { type: 'view', options: { viewOn: 'capped', pipeline: [{ $match: { a: 1 } }] } },
      'system.views': {},
      'system.buckets.weather': { documents: [bson({ _id: 1, control: {} })] },
      weather: { type: 'timeseries', options: { timeseries: { timeField: 't' } } },
    }),
  });
  const text = (path: string): string => Buffer.from(files.get(`dump/shop/${path}`)!).toString();
  assert.equal(
    text('capped.metadata.json'),
    '{"options":{"capped":true,"size":{"$numberInt":"4096"}},"indexes":[{"v":{"$numberInt":"2"},"key":{"_id":{"$numberInt":"1"}},"name":"_id_"},{"v":{"$numberInt":"2"},"key":{"a":{"$numberInt":"-1"}},"name":"a_-1","unique":true}],"uuid":"00000000000040008000000000000000","collectionName":"capped","type":"collection"}',
  );
  assert.equal(
    text('cheap.metadata.json'),
    '{"options":{"viewOn":"capped","pipeline":[{"$match":{"a":{"$numberInt":"1"}}}]},"indexes":[],"uuid":"00000001000040008000000000000000","collectionName":"cheap","type":"view"}',
  );
  assert.deepEqual([...files.keys()].sort(), [
    'dump/prelude.json',
    'dump/shop/capped.bson',
    'dump/shop/capped.metadata.json',
    'dump/shop/cheap.metadata.json',
    'dump/shop/system.buckets.weather.bson',
    'dump/shop/weather.metadata.json',
    'manifest.json',
  ]);
});

test('a replica set that honours snapshot reads is read at one time, and what cannot be is named', async () => {
  const databases = shop({ orders: {}, log: { options: { capped: true, size: 4096 } } });
  const { manifest, problems } = await dump({ databases, setName: 'rs0', snapshots: 'honoured' });
  assert.equal(manifest.server.topology, 'replica set');
  assert.equal(manifest.consistency.kind, 'snapshot');
  assert.deepEqual(manifest.consistency.atClusterTime, { t: snapshotTime.t, i: snapshotTime.i });
  assert.deepEqual(manifest.consistency.notAtTime, ['shop.log']);
  assert.deepEqual(problems, []);
});

test('a server that accepts snapshot reads and ignores them is not believed', async () => {
  const { manifest } = await dump({ databases: shop({ orders: {} }), setName: 'rs0', snapshots: 'ignored' });
  assert.equal(manifest.consistency.kind, 'none');
  assert.match(manifest.consistency.sentence, /^not a single point in time.*ignores them\)$/);
});

test('reads from a secondary where there is one, unless the URL says otherwise', async () => {
  const modes = new Set<string>();
  server = await startScriptedMongo({
    databases: shop({ orders: {} }),
    setName: 'rs0',
    intercept(command) {
      if (command.find) modes.add(String(command.$readPreference?.mode ?? 'primary'));
      return undefined;
    },
  });
  const url = `mongodb://127.0.0.1:${server.port}/?replicaSet=rs0`;
  await collectDump(mongoSource({ url }));
  assert.deepEqual([...modes], ['secondaryPreferred']);
  modes.clear();
  await collectDump(mongoSource({ url: `${url}&readPreference=nearest` }));
  assert.deepEqual([...modes], ['nearest']);
});

test('a cursor that dies loses its collection, by name, and no other', async () => {
  const documents = Array.from({ length: 100 }, (_, i) => bson({ _id: i }));
  const { files, manifest, problems } = await dump({
    databases: shop({ dies: { documents }, lives: {} }),
    intercept: (command) =>
      'getMore' in command
        ? { ok: 0, code: 237, codeName: 'CursorKilled', errmsg: 'cursor was killed' }
        : undefined,
  });
  assert.deepEqual(problems, ['lost: dump/shop/dies.bson: cannot read shop.dies: cursor was killed']);
  assert.ok(!files.has('dump/shop/dies.bson'));
  assert.ok(files.has('dump/shop/lives.bson'));
  const [dies, lives] = manifest.collections;
  assert.equal(dies!.content, undefined);
  assert.equal(lives!.content!.count, 1);
  assert.deepEqual(manifest.problems, [
    { namespace: 'shop.dies', gravity: 'lost', message: 'cannot read shop.dies: cursor was killed' },
  ]);
});

test('a right that is missing is named, with what to do', async () => {
  const refusal = {
    ok: 0,
    code: 13,
    codeName: 'Unauthorized',
    errmsg: 'not authorized on shop to execute command',
  };
  const { problems } = await dump({
    databases: shop({ closed: {}, open: {} }),
    intercept: (command) => (command.find === 'closed' && !command.sort ? refusal : undefined),
  });
  assert.deepEqual(problems, [
    'lost: dump/shop/closed.bson: cannot read shop.closed: not authorized on shop to execute command',
  ]);
});

test('when nothing at all could be read there is no dump', async () => {
  const refusal = { ok: 0, code: 13, codeName: 'Unauthorized', errmsg: 'not authorized' };
  const script: Script = {
    databases: shop({ a: {}, b: {} }),
    intercept: ({ find }) => (find ? refusal : undefined),
  };
  await assert.rejects(dump(script), { code: 'sources.access-denied' });
});

test('a wrong password is told as such, without the password', async () => {
  server = await startScriptedMongo({
    databases: shop({}),
    intercept: (command) =>
      'saslStart' in command
        ? { ok: 0, code: 18, codeName: 'AuthenticationFailed', errmsg: 'Authentication failed.' }
        : undefined,
  });
  const url = server.url.replace('mongodb://', 'mongodb://ada:geheim@');
  await assert.rejects(
    collectDump(mongoSource({ url: `${url}&authMechanism=SCRAM-SHA-256` })),
    (error: Error) => {
      assert.equal((error as { code?: string }).code, 'sources.login');
      assert.doesNotMatch(JSON.stringify(error) + error.message + error.stack, /geheim/);
      return true;
    },
  );
});

test('what is dropped, renamed or changed meanwhile, and counts that do not fit, are named', async () => {
  const databases = shop({ dropped: {}, renamed: {}, grows: {}, short: {} });
  const collections = databases.get('shop')!;
  let counts = 0;
  const { problems, manifest } = await dump(
    {
      databases,
      intercept(command) {
        if (command.count === 'short') return { n: 7, ok: 1 };
        if (command.count !== 'grows' || ++counts < 2) return undefined;
        const renamed = collections.get('renamed')!;
        collections.delete('renamed');
        collections.delete('dropped');
        collections.set('other', renamed);
        collections.get('grows')!.indexes = [{ key: { a: 1 }, name: 'a_1' }];
        return undefined;
      },
    },
    { collectionsAtOnce: 1 },
  );
  assert.deepEqual(problems.sort(), [
    'odd: shop.dropped: it was dropped or renamed while the dump ran; what the dump has of it may not be whole',
    'odd: shop.grows: its indexes changed while the dump ran; the dump has the old ones',
    'odd: shop.other: it appeared while the dump ran and is not in it',
    'odd: shop.renamed: it was renamed to shop.other while the dump ran',
    'odd: shop.short: 1 documents were read, but the server counted 7 before and 7 after',
  ]);
  assert.equal(manifest.problems.length, 5);
});

test('a server that goes away costs what was not read; the others are not waited for', async () => {
  const documents = Array.from({ length: 100 }, (_, i) => bson({ _id: i }));
  const databases = shop({ a: {}, b: { documents }, c: {}, d: {} });
  let isDead = false;
  server = await startScriptedMongo({
    databases,
    intercept(command) {
      isDead ||= 'getMore' in command;
      return isDead ? 'close' : undefined;
    },
  });
  const { manifest, problems } = await collectDump(mongoSource({ url: server.url, collectionsAtOnce: 1 }));
  const lost = manifest.collections.filter(({ content }) => !content).map(({ name }) => name);
  assert.ok(lost.includes('b'), lost.join());
  assert.ok(manifest.collections.some(({ content }) => content));
  assert.match(problems.join('\n'), /lost: dump\/shop\/b\.bson: cannot read shop\.b: connection .* closed/);
  assert.match(problems.join('\n'), /whether collections came, went or changed meanwhile is not known/);
});

test('users and roles come only when they are asked for', async () => {
  const databases = (): Script['databases'] =>
    new Map([
      [
        'admin',
        new Map([
          ['system.users', { documents: [bson({ _id: 'a' })] }],
          ['x', { documents: [] }],
        ]),
      ],
    ]);
  const without = await dump({ databases: databases() });
  assert.ok(!without.files.has('dump/admin/system.users.bson'));
  await server!.stop();
  const withUsers = await dump({ databases: databases() }, { withUsers: true });
  assert.ok(withUsers.files.has('dump/admin/system.users.bson'));
});
