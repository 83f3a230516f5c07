import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { afterEach, test } from 'node:test';
import { BSON } from 'mongodb';
import { mongoSource } from './mongo-source.ts';
import { type CollectedDump, collectDump } from './testing/collected-dump.ts';
import { OplogWriter } from './testing/oplog-entries.ts';
import { rawDocument, rawField } from './testing/raw-document.ts';
import {
  type Script,
  type ScriptedCollection,
  type ScriptedMongo,
  snapshotTime,
  startScriptedMongo,
} from './testing/scripted-mongo.ts';
import { SkippingClock } from './testing/skipping-clock.ts';

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
  assert.match(
    manifest.consistency.sentence,
    /^not a single point in time.*ignores them\); by the oplog it cannot become one: there is no oplog/,
  );
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

/** Orders that change while they are read: of the first that is read the oplog tells a change. */
function changing(more: Partial<Script> = {}): { script: Script; oplog: OplogWriter } {
  const oplog = new OplogWriter();
  for (let i = 0; i < 5; i++) oplog.noop();
  const documents = Array.from({ length: 40 }, (_, i) => bson({ _id: i }));
  const databases = shop({ orders: { documents }, log: { options: { capped: true, size: 4096 } } });
  const script: Script = {
    databases,
    setName: 'rs0',
    oplog,
    intercept(command, database) {
      if (command.find === 'orders' && command.batchSize) oplog.insert('shop.orders', { _id: 'meanwhile' });
      return more.intercept?.(command, database);
    },
  };
  return { script: { ...script, ...more, intercept: script.intercept! }, oplog };
}

const fast = { clock: new SkippingClock(), collectionsAtOnce: 1 };

test('where snapshot reads are not to be had, the oplog is captured from before the first read to after the last', async () => {
  const { script, oplog } = changing();
  const { files, manifest, problems } = await dump(script, fast);
  assert.deepEqual(problems, []);
  // mongodump's file: what was newest before, and all that came until the end.
  assert.deepEqual(Buffer.from(files.get('dump/oplog.bson')!), Buffer.concat(oplog.entries.slice(4)));
  const { captured, last, consistentAt } = manifest.oplog!;
  assert.deepEqual([captured!.first.i, captured!.last.i, captured!.count], [5, 6, 2]);
  assert.equal(captured!.checksum, createHash('sha256').update(files.get('dump/oplog.bson')!).digest('hex'));
  assert.equal(last.hash, createHash('sha256').update(oplog.entries.at(-1)!).digest('hex'));
  assert.deepEqual(consistentAt, { t: 1_700_000_000, i: 6 });
  assert.equal(manifest.consistency.kind, 'oplog');
  assert.match(manifest.consistency.sentence, /^one point in time by its oplog: .*1700000000:6/);
});

test('snapshot reads need no oplog, unless a collection cannot take part or there is not time enough', async () => {
  const databases = shop({ orders: {} });
  const { oplog } = changing();
  const simple = { databases, oplog, setName: 'rs0', snapshots: 'honoured' } as const;
  const alone = await dump(simple, fast);
  assert.ok(!alone.files.has('dump/oplog.bson'));
  // Slices join at the entry that was newest before anything was read.
  assert.equal(alone.manifest.oplog!.last.i, 5);
  assert.deepEqual(alone.manifest.oplog!.consistentAt, { t: snapshotTime.t, i: snapshotTime.i });
  await server!.stop();
  const capped = await dump(changing({ snapshots: 'honoured' }).script, fast);
  assert.equal(capped.manifest.consistency.kind, 'oplog');
  await server!.stop();
  const never = await dump(changing({ snapshots: 'honoured' }).script, { ...fast, oplog: 'never' });
  assert.deepEqual(
    [never.manifest.consistency.kind, never.manifest.consistency.notAtTime],
    ['snapshot', ['shop.log']],
  );
  await server!.stop();
  const large = await dump(
    {
      ...simple,
      intercept: ({ dbStats }) => (dbStats ? { dataSize: 20 * 2 ** 20 * 201, ok: 1 } : undefined),
    },
    fast,
  );
  assert.equal(large.manifest.consistency.kind, 'oplog');
});

test('an oplog that is lost costs the single point in time, and is named; the documents are there', async () => {
  let opened = 0;
  const rolledOver = changing({
    intercept(command) {
      if (command.tailable && opened++ === 0) rolledOver.oplog.entries.splice(0, 5, rolledOver.oplog.noop());
      return undefined;
    },
  });
  const { files, manifest, problems } = await dump(rolledOver.script, fast);
  assert.match(
    problems.join(),
    /^lost: dump\/oplog\.bson: the oplog rolled over: it begins at .*, after .*1700000000:5\) where it was left$/,
  );
  assert.ok(!files.has('dump/oplog.bson') && files.has('dump/shop/orders.bson'));
  assert.equal(manifest.oplog, undefined);
  assert.match(manifest.consistency.sentence, /^not a single point in time.*the oplog rolled over/);
});

test('a collection that was renamed while the oplog was captured may not be whole', async () => {
  const { script, oplog } = changing();
  const { intercept } = script;
  script.intercept = (command, database) => {
    if (command.find === 'log' && command.batchSize)
      oplog.command('shop', { renameCollection: 'shop.orders', to: 'shop.old', stayTemp: false });
    return intercept!(command, database);
  };
  const { problems } = await dump(script, fast);
  assert.deepEqual(problems, ['lost: shop.orders: it was renamed while the dump ran, and may not be whole']);
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

/** Not in the order of their ids. */
const scattered = Array.from({ length: 400 }, (_, i) =>
  bson({ _id: (i * 7) % 400, text: 'x'.repeat(i % 9) }),
);

test('a large collection is read in parts, several at once, and is the same file every time', async () => {
  const bounds: unknown[] = [];
  const script = (): Script => ({
    databases: shop({ large: { documents: scattered } }),
    bounds: 'honoured',
    intercept({ find, min, max, limit }) {
      if (find && !limit && (min || max)) bounds.push([min?._id, max?._id]);
      return undefined;
    },
  });
  const first = await dump(script(), { splitBytes: 4096 });
  await server!.stop();
  const second = await dump(script(), { splitBytes: 2048 });
  assert.deepEqual(first.problems, []);
  assert.ok(bounds.length > 4, JSON.stringify(bounds));
  const expected = scattered.toSorted((a, b) => BSON.deserialize(a)._id - BSON.deserialize(b)._id);
  for (const { files } of [first, second])
    assert.deepEqual(Buffer.from(files.get('dump/shop/large.bson')!), Buffer.concat(expected));
});

test('a server that ignores min and max is read by one cursor, and so is what cannot be cut', async () => {
  const { files, problems } = await dump(
    {
      databases: shop({
        large: { documents: scattered },
        texts: { documents: Array.from({ length: 100 }, (_, i) => bson({ _id: `t${i}` })) },
      }),
      bounds: 'ignored',
    },
    { splitBytes: 1024 },
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(Buffer.from(files.get('dump/shop/large.bson')!), Buffer.concat(scattered));
});

test('a cursor of one part that dies loses the collection', async () => {
  const { problems, manifest } = await dump(
    {
      databases: shop({ large: { documents: scattered }, other: {} }),
      bounds: 'honoured',
      intercept: ({ find, min, limit }) =>
        find === 'large' && !limit && min && min._id > 200
          ? { ok: 0, code: 43, codeName: 'CursorNotFound', errmsg: 'cursor id 7 not found' }
          : undefined,
    },
    { splitBytes: 4096 },
  );
  assert.deepEqual(problems, ['lost: dump/shop/large.bson: cannot read shop.large: cursor id 7 not found']);
  assert.equal(manifest.collections[0]!.content, undefined);
});

test('reading pauses while a secondary is behind, and goes on when it has caught up', async () => {
  const clock = new SkippingClock();
  let asked = 0;
  const { problems } = await dump(
    {
      databases: shop({ orders: {} }),
      setName: 'rs0',
      intercept({ replSetGetStatus }) {
        if (!replSetGetStatus) return undefined;
        const behindMs = ++asked < 4 ? 90_000 : 1000;
        const at = new Date('2026-11-24T12:00:00Z');
        return {
          members: [
            { state: 1, optimeDate: at },
            { state: 2, optimeDate: new Date(at.getTime() - behindMs) },
          ],
          ok: 1,
        };
      },
    },
    { clock },
  );
  assert.deepEqual(problems, []);
  assert.equal(asked, 4);
});
