import assert from 'node:assert/strict';
import { linkSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { MongoClient } from 'mongodb';
import type { JobRecord } from '#catalog';
import { type MongoServer, startMongoServer } from '../../test/servers/mongo-java-server.ts';
import type { PartResult } from './part-result.ts';
import { statusOf } from './plan-status.ts';
import { jobOfProof, jobOfUpkeep, type ProofKind } from './submit-proof.ts';
import { PlanBench } from './testing/plan-bench.ts';

const dayMs = 86_400_000;
let bench: PlanBench;
let server: MongoServer;
let client: MongoClient;

before(async () => {
  server = await startMongoServer();
  client = await MongoClient.connect(server.url);
  bench = await PlanBench.open();
  await bench.addRepository('near');
  const site = await bench.addFolder('site', { 'a.txt': 'a', 'b/c.txt': 'c' });
  linkSync(join(site, 'a.txt'), join(site, 'again'));
  symlinkSync('a.txt', join(site, 'way'));
  await client
    .db('shop')
    .collection('orders')
    .insertMany([{ _id: 1 }, { _id: 2 }] as never[]);
  await bench.addSource('shop', { kind: 'mongodb', url: server.url, database: 'shop' });
  await bench.addPlan('web', {
    kind: 'backup',
    sources: ['site', 'shop'],
    repositories: ['near'],
    prove: {
      verify: { percent: 50, schedule: { daily: '03:00' } },
      drill: { schedule: { weekly: 'Sun 05:00' }, scratch: { shop: server.url } },
    },
  });
  assert.equal((await bench.run('web')).state, 'succeeded');
});
after(async () => {
  await client?.close();
  await bench?.[Symbol.asyncDispose]();
  await server?.stop();
});

async function prove(kind: ProofKind): Promise<JobRecord> {
  const plan = await bench.records.plans.get('web');
  return bench.runJob(await jobOfProof(bench.records, plan, kind, { trigger: 'person' }));
}

function partsOf(job: JobRecord): PartResult[] {
  return (job.result as { parts: PartResult[] }).parts;
}

async function badges(rung: string): Promise<string[]> {
  const snapshots = await bench.snapshotsIn('near');
  return snapshots
    .flatMap((snapshot) => snapshot.badges.map((badge) => ({ ...badge, source: snapshot.source })))
    .filter((badge) => badge.rung === rung)
    .map(({ source, state }) => `${source} ${state}`)
    .sort();
}

test('a check proves the structure of all snapshots, and each source has its evidence', async () => {
  const job = await prove('check');
  assert.deepEqual([job.state, job.reason], ['succeeded', undefined]);
  assert.deepEqual(await badges('checked'), ['shop proven', 'site proven']);
  const { items } = await bench.records.evidence.list({ subject: 'web' }, { limit: 10 });
  const checked = items.filter(({ body }) => body.rung === 'checked');
  assert.deepEqual(checked.map(({ body }) => body.source).sort(), ['shop', 'site']);
  assert.equal((await bench.records.evidence.verify()).brokenAt, undefined);
});

test('a verify takes another part of the bytes each time, until all had their turn', async () => {
  const read = [];
  for (let run = 0; run < 2; run++) {
    const job = await prove('verify');
    assert.equal(job.state, 'succeeded');
    read.push(partsOf(job)[0]!.counts!);
  }
  const [first, second] = read;
  assert.equal(first!.packsRead! + second!.packsRead!, first!.packs);
  const [snapshot] = await bench.snapshotsIn('near');
  assert.match(snapshot!.badges.find(({ rung }) => rung === 'verified')!.note!, /^part 2 of 2: /);
});

test('a drill restores files and databases into throw-away places, compares, measures, and leaves nothing', async () => {
  const job = await prove('drill');
  assert.deepEqual([job.state, job.reason], ['succeeded', undefined]);
  const [site, shop] = partsOf(job);
  // One file, its other name, one more file.
  assert.deepEqual([site!.source, site!.counts!.files], ['site', 3]);
  assert.deepEqual([shop!.source, shop!.counts!.documents], ['shop', 2]);
  assert.ok(site!.evidenceId);
  assert.deepEqual(await badges('drilled'), ['shop proven', 'site proven']);
  assert.deepEqual(readdirSync(join(bench.context.folder, 'drill')), []);
  const { databases } = await client.db('admin').admin().listDatabases();
  assert.deepEqual(
    databases.filter(({ name }) => name.startsWith('holdfast')),
    [],
  );
  assert.equal(await client.db('shop').collection('orders').countDocuments(), 2);
  const status = await statusOf(bench.records, await bench.records.plans.get('web'), bench.clock.nowMs());
  assert.ok(status.restoreSeconds! > 0);
  assert.deepEqual([status.health !== 'failing', status.recent.at(-1)!.isDrilled], [true, true]);
});

test('proofs run when they are due, once, and so does the upkeep of repositories', async () => {
  const noonMs = Date.UTC(2030, 0, 15, 12);
  bench.clock.shiftMs += noonMs - bench.clock.nowMs();
  // Whatever was due until then.
  await bench.scheduler.pass();
  const due = async (): Promise<string[]> => {
    const before = new Set((await bench.records.jobs.list({}, { limit: 200 })).items.map(({ id }) => id));
    await bench.scheduler.pass();
    const { items } = await bench.records.jobs.list({}, { limit: 200 });
    const made = items.filter(({ id }) => !before.has(id));
    for (const { id } of made) assert.equal((await bench.ended(id)).state, 'succeeded');
    return made.map(({ kind, plan }) => `${kind} ${plan}`).sort();
  };
  for (const { id } of (await bench.records.jobs.list({}, { limit: 200 })).items) await bench.ended(id);
  assert.deepEqual(await due(), []);
  bench.clock.shiftMs += 15 * 3_600_000 + 60_000;
  assert.deepEqual(await due(), ['verify web']);
  assert.deepEqual(await due(), []);
  // The 20th is a Sunday.
  bench.clock.shiftMs += 5 * dayMs;
  assert.deepEqual(await due(), ['check undefined', 'drill web', 'prune undefined', 'verify web']);
});

test('space is freed in two runs, and what is in the trash keeps its own', async () => {
  const { spec } = await bench.records.repositories.get('near');
  const prune = () => bench.runJob(jobOfUpkeep({ name: 'near', spec }, 'prune', { trigger: 'person' }));
  const ids = (await bench.snapshotsIn('near')).map(({ id }) => id);
  await bench.records.snapshots.moveToTrash('near', ids, new Date(bench.clock.nowMs() + dayMs));
  const pruned = await prune();
  assert.deepEqual([pruned.state, partsOf(pruned)[0]!.counts!.markedPacks], ['succeeded', 0]);
  for (const id of ids) await bench.records.snapshots.takeBack({ repository: 'near', id });
  const status = await bench.records.settings.find<{ lastPrunedAt?: string }>('repository.near');
  assert.ok(status!.lastPrunedAt);
});

test('a damaged repository fails its check and its drill; what cannot be restored loses its badge, and so it stays', async () => {
  const storage = join(bench.folder, 'repositories/near/data');
  for (const file of readdirSync(storage, { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue;
    const path = join(file.parentPath, file.name);
    const bytes = readFileSync(path);
    bytes[20]! ^= 1;
    rmSync(path, { force: true });
    writeFileSync(path, bytes);
  }
  const drill = await prove('drill');
  assert.equal(drill.state, 'failed');
  for (let run = 0; run < 2; run++) assert.equal((await prove('verify')).state, 'failed');
  const status = await bench.records.settings.find<{ state: string }>('repository.near');
  assert.equal(status!.state, 'damaged');
  assert.ok((await badges('verified')).some((badge) => badge.endsWith('failed')));
});
