import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { BSON, type Document } from 'mongodb';
import { MongoConnection } from '../connection.ts';
import { OplogWriter } from '../testing/oplog-entries.ts';
import { type Script, type ScriptedMongo, startScriptedMongo } from '../testing/scripted-mongo.ts';
import { SkippingClock } from '../testing/skipping-clock.ts';
import { findStart } from './find-entry.ts';
import { markOf, type OplogMark, parseEntry } from './oplog-entry.ts';
import { OplogTail } from './oplog-tail.ts';

let server: ScriptedMongo | undefined;
let connection: MongoConnection | undefined;
afterEach(async () => {
  await connection?.close();
  await server?.stop();
});

/** Ten inserts, of which the third was had last. */
function written(): { oplog: OplogWriter; after: OplogMark } {
  const oplog = new OplogWriter();
  for (let i = 1; i <= 10; i++) oplog.insert('shop.orders', { _id: i });
  return { oplog, after: markOf(parseEntry(oplog.entries[2]!)) };
}

async function tail(after: OplogMark, script: Partial<Script> & { oplog: OplogWriter }): Promise<OplogTail> {
  server = await startScriptedMongo({ databases: new Map(), setName: 'rs0', ...script });
  connection = await MongoConnection.open(server.url);
  const { signal } = new AbortController();
  return new OplogTail({ connection, after, clock: new SkippingClock(), signal });
}

async function readAll(reader: OplogTail, count: number): Promise<number[]> {
  const seconds: number[] = [];
  while (seconds.length < count) seconds.push(...(await reader.read()).map(({ time }) => time.i));
  return seconds;
}

test('goes on after the entry that was had last, and waits for new ones', async () => {
  const { oplog, after } = written();
  const reader = await tail(after, { oplog });
  assert.equal((await reader.anchor()).time.i, 3);
  assert.deepEqual(await readAll(reader, 7), [4, 5, 6, 7, 8, 9, 10]);
  assert.deepEqual(await reader.read(), []);
  oplog.noop();
  assert.deepEqual(await readAll(reader, 1), [11]);
  assert.equal(reader.reopened, 0);
  await reader.close();
});

const refusals: [string, Document | 'close'][] = [
  ['the cursor is killed', { ok: 0, code: 237, codeName: 'CursorKilled', errmsg: 'cursor was killed' }],
  [
    'the cursor is not found',
    { ok: 0, code: 43, codeName: 'CursorNotFound', errmsg: 'cursor id 7 not found' },
  ],
  ['the primary steps down', { ok: 0, code: 189, codeName: 'PrimarySteppedDown', errmsg: 'stepped down' }],
  ['the server is shut down', { ok: 0, code: 11600, codeName: 'InterruptedAtShutdown', errmsg: 'shutdown' }],
  ['the connection breaks', 'close'],
];
for (const [name, refusal] of refusals)
  test(`when ${name}, reading goes on without loss`, async () => {
    const { oplog, after } = written();
    let calls = 0;
    const intercept = (command: Document): Document | 'close' | undefined =>
      'getMore' in command && calls++ === 1 ? refusal : undefined;
    const reader = await tail(after, { oplog, intercept });
    // An election: the new primary writes on with a higher term.
    oplog.term = 2;
    oplog.noop('new primary');
    for (let i = 0; i < 40; i++) oplog.insert('shop.orders', { _id: 100 + i });
    const seconds = await readAll(reader, 48);
    assert.deepEqual(
      seconds,
      Array.from({ length: 48 }, (_, i) => i + 4),
    );
    assert.equal(reader.reopened, 1);
    await reader.close();
  });

test('a refusal that no other try will change is told at once', async () => {
  const { oplog, after } = written();
  let finds = 0;
  const reader = await tail(after, {
    oplog,
    intercept: ({ find }) =>
      find && ++finds > 0 ? { ok: 0, code: 13, codeName: 'Unauthorized', errmsg: 'no' } : undefined,
  });
  await assert.rejects(reader.read(), { code: 'sources.access-denied' });
  assert.equal(finds, 1);
});

test('an oplog that rolled over is a gap', async () => {
  const { oplog, after } = written();
  oplog.entries.splice(0, 5);
  const reader = await tail(after, { oplog });
  await assert.rejects(reader.read(), {
    code: 'sources.oplog-gap',
    message:
      'the oplog rolled over: it begins at 2023-11-14T22:13:20Z (1700000000:6), after 2023-11-14T22:13:20Z (1700000000:3) where it was left',
  });
});

test('another entry at the same time, or none, is a rollback', async () => {
  const replaced = written();
  const other = new OplogWriter({ term: 2 });
  for (let i = 1; i <= 5; i++) other.insert('shop.orders', { _id: i * 100 });
  replaced.oplog.entries.splice(2, 10, ...other.entries.slice(2));
  const reader = await tail(replaced.after, { oplog: replaced.oplog });
  const rollback = {
    code: 'sources.oplog-rollback',
    message: /^the oplog has another entry at .*1700000000:3/,
  };
  await assert.rejects(reader.read(), rollback);
  await connection!.close();
  await server!.stop();
  const shorter = written();
  shorter.oplog.entries.splice(2);
  await assert.rejects((await tail(shorter.after, { oplog: shorter.oplog })).read(), rollback);
});

test('a term that falls is another history', async () => {
  const { oplog, after } = written();
  const reader = await tail(after, { oplog });
  await readAll(reader, 7);
  oplog.term = 0;
  oplog.noop();
  await assert.rejects(reader.read(), { code: 'sources.oplog-rollback' });
});

test('begins with the oldest transaction that is open', async () => {
  const { oplog } = written();
  const open = {
    state: 'prepared',
    startOpTime: { ts: new BSON.Timestamp({ t: 1_700_000_000, i: 4 }), t: 1 },
  };
  const transactions = { documents: [BSON.serialize({ _id: 1, ...open })] };
  server = await startScriptedMongo({
    setName: 'rs0',
    oplog,
    databases: new Map([['config', new Map([['transactions', transactions]])]]),
  });
  connection = await MongoConnection.open(server.url);
  assert.equal((await findStart(connection)).time.i, 4);
  transactions.documents = [];
  assert.equal((await findStart(connection)).time.i, 10);
});
