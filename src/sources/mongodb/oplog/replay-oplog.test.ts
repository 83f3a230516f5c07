import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { BSON, type Document } from 'mongodb';
import type { MongoRestoreOptions } from '../open-mongodb.ts';
import { OplogWriter } from '../testing/oplog-entries.ts';
import {
  bson,
  type Databases,
  documentsOf,
  dumpOf,
  type Restored,
  restored,
  sliceOf,
  stopServers,
  uuid,
} from '../testing/replay-fixture.ts';
import type { ScriptedCollection } from '../testing/scripted-mongo.ts';
import type { OplogPart } from './oplog-history.ts';

afterEach(stopServers);

/** One collection at rest, and the oplog that goes on from there. */
function shop(documents: Document[] = [{ _id: 1, a: { b: 1 } }]): {
  databases: Databases;
  oplog: OplogWriter;
} {
  const oplog = new OplogWriter();
  oplog.noop();
  const orders: ScriptedCollection = {
    documents: documents.map(bson),
    uuid: uuid(1),
    indexes: [{ v: 2, key: { a: 1 }, name: 'a_1' }],
  };
  return { databases: new Map([['shop', new Map([['orders', orders]])]]), oplog };
}

async function replayed(
  fill: (oplog: OplogWriter) => void,
  more: Partial<MongoRestoreOptions> = {},
  documents?: Document[],
): Promise<Restored> {
  const { databases, oplog } = shop(documents);
  const dump = await dumpOf({ databases, oplog });
  const from = oplog.entries.length - 1;
  fill(oplog);
  return restored(dump, { slices: [sliceOf(oplog.entries.slice(from))], ...more });
}

test('inserts, changes by parts, replacements and deletes come to what the server had', async () => {
  const { databases, outcome, problems } = await replayed((oplog) => {
    oplog.insert('shop.orders', { _id: 2, list: [1, 2] });
    oplog.update('shop.orders', 1, { $v: 2, diff: { sa: { u: { b: 2 } }, i: { c: 3 } } });
    oplog.update('shop.orders', 2, { $v: 2, diff: { slist: { a: true, l: 1, u2: 'x' } } });
    oplog.update('shop.orders', 2, { $v: 1, $set: { 'list.0': 9 } });
    oplog.insert('shop.orders', { _id: 3 });
    oplog.update('shop.orders', 3, { _id: 3, $set: 'a name', whole: true });
    oplog.insert('shop.orders', { _id: 4 });
    oplog.delete('shop.orders', 4);
    oplog.noop();
  });
  assert.deepEqual(problems, []);
  assert.deepEqual(documentsOf(databases, 'shop.orders'), [
    { _id: 1, a: { b: 2 }, c: 3 },
    { _id: 2, list: [9, null, 'x'] },
    { _id: 3, $set: 'a name', whole: true },
  ]);
  const { entries, inserts, updates, deletes, leftOut, misfits } = outcome.replayed!;
  assert.deepEqual(
    { entries, inserts, updates, deletes, leftOut, misfits },
    { entries: 10, inserts: 3, updates: 4, deletes: 1, leftOut: 2, misfits: 0 },
  );
  assert.equal(outcome.matched, 1);
});

test('transactions are replayed whole at their commit, and not at all without one', async () => {
  const lsid = { id: new BSON.UUID(uuid(9)) };
  const first = { lsid, txnNumber: BSON.Long.fromNumber(1) };
  const insert = (_id: number): Document => ({ op: 'i', ns: 'shop.orders', o: { _id } });
  const { databases, outcome } = await replayed((oplog) => {
    oplog.command('admin', { applyOps: [insert(2), insert(3)] }, first);
    oplog.command(
      'admin',
      { applyOps: [insert(4)], prepare: true },
      { ...first, txnNumber: BSON.Long.fromNumber(2) },
    );
    oplog.command('admin', { commitTransaction: 1 }, { ...first, txnNumber: BSON.Long.fromNumber(2) });
    oplog.command(
      'admin',
      { applyOps: [insert(5)], prepare: true },
      { ...first, txnNumber: BSON.Long.fromNumber(3) },
    );
  });
  assert.deepEqual(
    documentsOf(databases, 'shop.orders').map(({ _id }) => _id),
    [1, 2, 3, 4],
  );
  assert.equal(outcome.replayed!.openTransactions, 1);
});

test('collections are made, renamed, changed and dropped, and indexes built at the end as they then are', async () => {
  const { databases, outcome, problems } = await replayed((oplog) => {
    const ui = (digit: number): Document => ({ ui: new BSON.UUID(uuid(digit)) });
    oplog.command(
      'shop',
      { create: 'log', capped: true, size: 4096, idIndex: { v: 2, key: { _id: 1 }, name: '_id_' } },
      ui(2),
    );
    oplog.insert('shop.log', { _id: 1 });
    oplog.command('shop', {
      createIndexes: 'log',
      v: 2,
      key: { at: 1 },
      name: 'at_1',
      expireAfterSeconds: 60,
    });
    oplog.command('shop', { startIndexBuild: 'orders', indexBuildUUID: new BSON.UUID(uuid(8)), indexes: [] });
    oplog.command('shop', {
      commitIndexBuild: 'orders',
      indexBuildUUID: new BSON.UUID(uuid(8)),
      indexes: [
        { v: 2, key: { c: -1 }, name: 'c_-1', unique: true },
        { v: 2, key: { d: 1 }, name: 'd_1' },
      ],
    });
    oplog.command('shop', { dropIndexes: 'orders', index: 'a_1' });
    oplog.command('shop', { dropIndexes: 'orders', index: { d: 1 } });
    oplog.command('shop', {
      collMod: 'log',
      index: { name: 'at_1', expireAfterSeconds: BSON.Long.fromNumber(90) },
    });
    oplog.command('shop', { collMod: 'orders', validationLevel: 'off' });
    oplog.command('shop', { renameCollection: 'shop.orders', to: 'shop.old', stayTemp: false });
    oplog.command('shop', { create: 'brief' }, ui(3));
    oplog.insert('shop.brief', { _id: 1 });
    oplog.command('shop', { drop: 'brief' }, ui(3));
    oplog.insert('shop.system.views', { _id: 'shop.cheap', viewOn: 'old', pipeline: [] });
    oplog.command('gone', { create: 'x' }, ui(4));
    oplog.command('gone', { drop: 'x' }, ui(4));
    oplog.command('gone', { dropDatabase: 1 });
  });
  assert.deepEqual(problems, []);
  assert.deepEqual([...databases.get('shop')!.keys()].sort(), ['cheap', 'log', 'old']);
  assert.deepEqual([...(databases.get('gone') ?? new Map()).keys()], []);
  const old = databases.get('shop')!.get('old')!;
  assert.deepEqual(
    old.indexes!.map(({ name, unique }) => [name, unique]),
    [['c_-1', true]],
  );
  assert.equal(old.options!.validationLevel, 'off');
  const log = databases.get('shop')!.get('log')!;
  assert.deepEqual([log.options!.capped, log.options!.idIndex], [true, undefined]);
  assert.equal(Number(log.indexes![0]!.expireAfterSeconds), 90);
  assert.equal(databases.get('shop')!.get('cheap')!.type, 'view');
  assert.deepEqual([outcome.indexes, outcome.views], [2, 1]);
});

test('replays under other names, and leaves what is not wanted and what is the system’s', async () => {
  const { databases, problems } = await replayed(
    (oplog) => {
      oplog.insert('shop.orders', { _id: 2 });
      oplog.command('shop', { create: 'later' }, { ui: new BSON.UUID(uuid(5)) });
      oplog.insert('shop.later', { _id: 1 });
      oplog.insert('zoo.animals', { _id: 1 });
      for (const ns of [
        'config.transactions',
        'admin.system.users',
        'config.system.sessions',
        'shop.system.profile',
      ])
        oplog.insert(ns, { _id: 1 });
    },
    { renames: [{ from: 'shop.*', to: 'copy.*' }], includes: ['shop.*'] },
  );
  assert.deepEqual(problems, []);
  assert.deepEqual([...databases.keys()], ['copy']);
  assert.deepEqual([...databases.get('copy')!.keys()].sort(), ['later', 'orders']);
  assert.equal(documentsOf(databases, 'copy.orders').length, 2);
});

test('stops at a time, the wished entry or the whole wished second included', async () => {
  const fill = (oplog: OplogWriter): void => {
    for (const [t, i] of [
      [100, 1],
      [100, 2],
      [101, 1],
      [102, 1],
    ] as const)
      oplog.add({ op: 'i', ns: 'shop.orders', o: { _id: t * 10 + i } }, { t: 1_700_000_000 + t, i });
  };
  const ids = async (until: { t: number; i: number }): Promise<number[]> =>
    documentsOf((await replayed(fill, { until })).databases, 'shop.orders').map(({ _id }) => _id);
  assert.deepEqual(await ids({ t: 1_700_000_100, i: 1 }), [1, 1001]);
  assert.deepEqual(await ids({ t: 1_700_000_101, i: 0xff_ff_ff_ff }), [1, 1001, 1002, 1011]);
  // Of the last second not all may be held; before the dump was whole there is nothing.
  for (const until of [
    { t: 1_700_000_102, i: 0xff_ff_ff_ff },
    { t: 1_600_000_000, i: 1 },
  ])
    await assert.rejects(ids(until), {
      code: 'sources.oplog-gap',
      message: /this backup and its slices reach from .*1700000000:1\) to .*1700000102:1\)$/,
    });
});

test('slices that do not join are refused before anything is written', async () => {
  const { databases, oplog } = shop();
  const dump = await dumpOf({ databases, oplog });
  for (let i = 2; i < 8; i++) oplog.insert('shop.orders', { _id: i });
  const { entries } = oplog;
  const other = new OplogWriter({ term: 2 });
  for (let i = 0; i < 8; i++) other.insert('shop.orders', { _id: i * 100 });
  const wrong: [OplogPart[], string][] = [
    [[sliceOf(entries.slice(1, 3))], 'sources.oplog-gap'],
    [[sliceOf(entries.slice(0, 3)), sliceOf(entries.slice(3, 5))], 'sources.oplog-gap'],
    [[sliceOf(other.entries)], 'sources.oplog-rollback'],
    [[sliceOf(entries.slice(0, 3)), sliceOf(other.entries.slice(2))], 'sources.oplog-rollback'],
  ];
  for (const [slices, code] of wrong) {
    const target: Databases = new Map();
    await assert.rejects(restored(dump, { slices }, { databases: target }), { code });
    assert.equal(target.size, 0);
  }
  // A slice may have begun long before the dump, and two may overlap with it.
  const earlier = new OplogWriter({ t: 1_600_000_000 });
  earlier.noop();
  const fine = await restored(dump, {
    slices: [sliceOf([...earlier.entries, ...entries.slice(0, 3)]), sliceOf(entries.slice(2))],
  });
  assert.equal(documentsOf(fine.databases, 'shop.orders').length, 7);
  assert.equal(fine.outcome.replayed!.misfits, 0);
});

test('is not resumed: what was replayed is no longer what was dumped', async () => {
  await assert.rejects(
    replayed((oplog) => void oplog.noop(), { resume: true }),
    { code: 'sources.target', message: 'a restore that replays an oplog cannot be resumed' },
  );
});

test('what cannot be replayed stops the restore and says where', async () => {
  for (const [fill, message] of [
    [
      (oplog: OplogWriter) => oplog.command('shop', { importCollection: 'shop.x' }),
      /\(1700000000:2\) \(c shop\.\$cmd\): the command importCollection is not known/,
    ],
    [
      (oplog: OplogWriter) => oplog.update('shop.orders', 1, { $inc: { a: 1 } }),
      /an update without version and without _id/,
    ],
    [
      (oplog: OplogWriter) => oplog.command('shop', { renameCollection: 'shop.tmp', to: 'shop.new' }),
      /shop\.tmp does not belong to this restore/,
    ],
  ] as const)
    await assert.rejects(
      replayed((oplog) => void fill(oplog)),
      { code: 'sources.oplog', message },
    );
});

test('never writes into a collection that was there before', async () => {
  const { databases, oplog } = shop();
  const dump = await dumpOf({ databases, oplog });
  oplog.command('zoo', { create: 'animals' }, { ui: new BSON.UUID(uuid(6)) });
  const target: Databases = new Map([
    ['zoo', new Map([['animals', { documents: [bson({ _id: 'precious' })] }]])],
  ]);
  const slices = [sliceOf(oplog.entries)];
  await assert.rejects(restored(dump, { slices }, { databases: target }), { code: 'sources.target' });
  assert.equal(target.get('zoo')!.get('animals')!.documents.length, 1);
});

test('changes that do not fit are no fault until the dump is whole, and named afterwards', async () => {
  const misfits = (oplog: OplogWriter): void => {
    oplog.insert('shop.orders', { _id: 1, again: true });
    oplog.update('shop.orders', 77, { $v: 2, diff: { u: { a: 1 } } });
    oplog.delete('shop.orders', 78);
    oplog.command('shop', { drop: 'never' });
  };
  const after = await replayed(misfits);
  assert.equal(after.outcome.replayed!.misfits, 4);
  assert.deepEqual(after.problems.map((text) => text.replace(/ \(.*/, '')).sort(), [
    'odd: shop.$cmd: a collection was dropped that was not there',
    'odd: shop.orders: a document was changed that was not there',
  ]);
  const { databases, oplog } = shop();
  const dump = await dumpOf({
    databases,
    oplog,
    intercept({ find, batchSize }) {
      if (find === 'orders' && batchSize) misfits(oplog);
      return undefined;
    },
  });
  const within = await restored(dump);
  assert.deepEqual(within.problems, []);
  assert.deepEqual(documentsOf(within.databases, 'shop.orders'), [{ _id: 1, again: true }]);
});

test('a change of a kind that is not known here is left to the server, which may refuse it', async () => {
  const { databases, oplog } = shop();
  const dump = await dumpOf({ databases, oplog });
  const o = { $v: 2, diff: { sdata: { b: { x: { o: 4, d: new BSON.Binary(Buffer.from('x')) } } } } };
  oplog.update('shop.orders', 1, o);
  const slices = [sliceOf(oplog.entries)];
  const renames = [{ from: 'shop.*', to: 'copy.*' }];
  let applied: Document | undefined;
  const taking = await restored(
    dump,
    { slices, renames },
    {
      intercept(command) {
        if (!command.applyOps) return undefined;
        applied = command.applyOps[0];
        return { ok: 1, applied: 1 };
      },
    },
  );
  assert.equal(taking.outcome.replayed!.updates, 1);
  assert.deepEqual([applied!.op, applied!.ns, applied!.o2], ['u', 'copy.orders', { _id: 1 }]);
  assert.equal(applied!.o.diff.sdata.b.x.o, 4);
  await assert.rejects(restored(dump, { slices }), {
    code: 'sources.oplog',
    message: /\(1700000000:2\) \(u shop\.orders\): the target does not take it by applyOps: no such command/,
  });
});
