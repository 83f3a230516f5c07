import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { preflightMongo } from './preflight.ts';
import { OplogWriter } from './testing/oplog-entries.ts';
import { type Script, type ScriptedMongo, startScriptedMongo } from './testing/scripted-mongo.ts';

let server: ScriptedMongo | undefined;
afterEach(() => server?.stop());

/** Of a replica set whose oplog reaches 400 seconds back. */
async function preflight(dataSize: number, more: Partial<Script> = {}) {
  const oplog = new OplogWriter();
  oplog.noop();
  oplog.add({ op: 'n', ns: '', o: {} }, { t: 1_700_000_400, i: 1 });
  server = await startScriptedMongo({
    databases: new Map([['shop', new Map([['orders', { documents: [] }]])]]),
    setName: 'rs0',
    snapshots: 'honoured',
    oplog,
    intercept: ({ dbStats }) => (dbStats ? { objects: 1, dataSize, ok: 1 } : undefined),
    ...more,
  });
  return preflightMongo({ url: server.url });
}

const secondBytes = 20 * 1024 * 1024;

test('foresees whether the oplog rolls over before the end, and before the next slice', async () => {
  const small = await preflight(100 * secondBytes);
  assert.deepEqual(small.oplog, {
    oldestSeconds: 1_700_000_000,
    newestSeconds: 1_700_000_400,
    dumpSeconds: 150,
    rollsOver: false,
    sliceSecondsMax: 100,
  });
  assert.match(small.consistency, /^one point in time: everything was read as it was at /);
  await server!.stop();
  // Longer than servers keep history: the oplog is captured.
  const middle = await preflight(210 * secondBytes);
  assert.equal(middle.consistency, 'one point in time by its oplog, which is captured while the dump runs');
  await server!.stop();
  const large = await preflight(300 * secondBytes);
  assert.equal('rollsOver' in large.oplog && large.oplog.rollsOver, true);
});

test('says why there are no slices', async () => {
  const { oplog } = await preflight(1, { setName: '' });
  assert.deepEqual(oplog, { absence: 'a standalone server has no oplog' });
});
