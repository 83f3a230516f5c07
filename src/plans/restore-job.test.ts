import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { MongoClient } from 'mongodb';
import type { JobRecord } from '#catalog';
import type { RestoreInput } from '#contract';
import { type MongoServer, startMongoServer } from '../../test/servers/mongo-java-server.ts';
import { jobOfRestore } from './restore-job.ts';
import { PlanBench } from './testing/plan-bench.ts';

const reason = { trigger: 'person', requestedBy: 'Ada' };
let bench: PlanBench;
let source: string;
let snapshotId: string;
let server: MongoServer;
let client: MongoClient;

before(async () => {
  server = await startMongoServer();
  client = await MongoClient.connect(server.url);
  bench = await PlanBench.open();
  await bench.addRepository('near');
  source = await bench.addFolder('site', { 'a.txt': 'a', 'b/c.txt': 'c', 'b/d.log': 'd' });
  await bench.addPlan('web', { kind: 'backup', sources: ['site'], repositories: ['near'] });
  await bench.run('web');
  snapshotId = (await bench.snapshotsIn('near'))[0]!.id;
});
after(async () => {
  await client?.close();
  await bench?.[Symbol.asyncDispose]();
  await server?.stop();
});

async function restored(more: Partial<RestoreInput> & { target: string }): Promise<JobRecord> {
  const request = { repository: 'near', snapshotId, ...more };
  return bench.runJob(await jobOfRestore(bench.context, request, reason));
}

function countsOf(job: JobRecord): Record<string, number> {
  return (job.result as { parts: { counts: Record<string, number> }[] }).parts[0]!.counts;
}

test('a snapshot comes back into a folder, and every file is read there and compared', async () => {
  const target = join(bench.folder, 'back');
  const job = await restored({ target });
  assert.deepEqual([job.state, job.plan, job.requestedBy], ['succeeded', 'web', 'Ada']);
  assert.equal(readFileSync(join(target, source, 'b/c.txt'), 'utf8'), 'c');
  const { files, verifiedFiles, left, bytes } = countsOf(job);
  assert.deepEqual([files, verifiedFiles, left, bytes], [3, 3, 0, 3]);
});

test('a part of it, without what is excluded', async () => {
  const target = join(bench.folder, 'part');
  const job = await restored({ target, path: join(source, 'b'), exclude: ['*.log'] });
  assert.equal(job.state, 'succeeded');
  assert.ok(existsSync(join(target, 'c.txt')));
  assert.ok(!existsSync(join(target, 'd.log')));
});

test('a folder that is not empty is confirmed by typing its path; what is there is left or replaced', async () => {
  const target = join(bench.folder, 'used');
  const file = join(target, 'a.txt');
  mkdirSync(target);
  writeFileSync(file, 'mine');
  const request = { target, path: source, overwrite: 'always' } as const;
  for (const confirm of [undefined, 'used'])
    await assert.rejects(restored({ ...request, ...(confirm && { confirm }) }), {
      code: 'plans.unconfirmed',
    });
  const looked = await restored({ ...request, dryRun: true });
  assert.deepEqual([looked.state, countsOf(looked).replaced], ['succeeded', 1]);
  const kept = await restored({ target, path: source, confirm: target });
  assert.deepEqual([kept.state, countsOf(kept).left], ['succeeded', 1]);
  assert.equal(readFileSync(file, 'utf8'), 'mine');
  assert.equal((await restored({ ...request, confirm: target })).state, 'succeeded');
  assert.equal(readFileSync(file, 'utf8'), 'a');
});

test('nothing is restored into the state directory, by whatever way', async () => {
  const { home } = bench.context;
  mkdirSync(home, { recursive: true });
  symlinkSync(home, join(bench.folder, 'way'));
  for (const target of [
    home,
    join(home, 'new/deep'),
    join(bench.folder, 'way'),
    join(bench.folder, 'x/../home'),
  ])
    await assert.rejects(restored({ target }), { code: 'plans.target' }, target);
});

test('a restore of what is damaged is partial, and names it', async () => {
  await bench.addRepository('bad');
  await bench.addPlan('worn', { kind: 'backup', sources: ['site'], repositories: ['bad'] });
  await bench.run('worn');
  const [snapshot] = await bench.snapshotsIn('bad');
  await bench.withRepository('bad', async ({ storage }) => {
    for await (const { name } of storage.list('data/')) {
      const bytes = readFileSync(join(storage.location.replace(/^local:/, ''), name));
      // The first blob of each pack.
      bytes[20]! ^= 1;
      const path = join(storage.location.replace(/^local:/, ''), name);
      rmSync(path, { force: true });
      writeFileSync(path, bytes);
    }
  });
  const target = join(bench.folder, 'damaged');
  const request = { repository: 'bad', snapshotId: snapshot!.id, target };
  const job = await bench.runJob(await jobOfRestore(bench.context, request, reason));
  assert.ok(['partial', 'failed'].includes(job.state), job.state);
  assert.ok(job.reason!.message.length > 0);
});

test('a dump comes back into a database: beside what is there, or in its place when its name is typed', async () => {
  await client
    .db('shop')
    .collection('orders')
    .insertMany([{ _id: 1 }, { _id: 2 }] as never[]);
  await bench.addSource('shop', { kind: 'mongodb', url: server.url, database: 'shop' });
  await bench.addPlan('shop', { kind: 'backup', sources: ['shop'], repositories: ['near'] });
  assert.equal((await bench.run('shop')).state, 'succeeded');
  const { items } = await bench.records.snapshots.list({ plan: 'shop' }, { limit: 1 });
  const [{ id, badges }] = items as [(typeof items)[0]];
  assert.deepEqual(
    badges.map(({ rung, state }) => `${rung} ${state}`),
    ['stored proven', 'read-back proven'],
  );
  await client
    .db('shop')
    .collection('orders')
    .deleteOne({ _id: 1 as never });
  const beside = await restored({ snapshotId: id, target: server.url });
  assert.equal(beside.state, 'succeeded');
  assert.deepEqual([countsOf(beside).documents, countsOf(beside).matched], [2, 1]);
  assert.equal(await client.db('shop_restored').collection('orders').countDocuments(), 2);
  const place = { snapshotId: id, target: server.url, overwrite: 'always' } as const;
  await assert.rejects(restored(place), { code: 'plans.unconfirmed' });
  const wrong = await restored({ ...place, confirm: 'other' });
  assert.deepEqual([wrong.state, wrong.reason?.code], ['failed', 'sources.target']);
  assert.equal((await restored({ ...place, confirm: 'shop' })).state, 'succeeded');
  assert.equal(await client.db('shop').collection('orders').countDocuments(), 2);
});
