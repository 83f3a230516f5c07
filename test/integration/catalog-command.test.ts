import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { systemRandom } from '#base';
import {
  Catalog,
  type CatalogPlace,
  catalogFileIn,
  type JobId,
  loadMasterKeys,
  lockState,
  newSealingKey,
} from '#catalog';
import { holdfast, jsonLines } from '../command/holdfast.ts';
import { type PostgresServer, startPostgres } from '../servers/postgres.ts';

let folder: string;
let server: PostgresServer;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-move-'));
  server = await startPostgres();
});
after(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

const masterKeys = [newSealingKey(systemRandom)];
const asIs = (spec: unknown): unknown => spec;
const parse = { repository: asIs, source: asIs, plan: asIs, channel: asIs };
const open = (place: CatalogPlace): Promise<Catalog> => Catalog.open({ place, masterKeys, parse });

const odd = { text: 'a\u2028"\\\'' };

/** What a used catalog holds, and the id of its job that has not ended. */
async function fill(catalog: Catalog): Promise<JobId> {
  await catalog.settings.save('größer', odd);
  await catalog.secrets.add('moved-secret');
  await catalog.audit.append({ subject: 'ada', body: { did: 'move' } });
  await catalog.snapshots.save([{ repository: 'nas', id: 'a'.repeat(64), takenAt: new Date(9), facts: {} }]);
  const work = { kind: 'work', version: 1, input: {}, trigger: 'person', limits: ['storage:nas'] };
  const { id } = await catalog.jobs.create(work);
  await catalog.jobs.dispatch({
    kinds: [{ name: 'work', version: 1 }],
    capacityOf: () => 1,
    countMax: 1,
  });
  await catalog.jobs.begin({ id, runId: 'of the old engine', workerId: 'w' });
  await catalog.jobs.appendLines(
    id,
    Array.from({ length: 1200 }, (_, i) => ({
      at: new Date(i),
      level: 'info' as const,
      message: `line ${i}`,
    })),
  );
  return id;
}

test('a used catalog goes to PostgreSQL and back, whole, and only where none is', async () => {
  const [first, last] = [join(folder, 'first'), join(folder, 'last')];
  lockState(first, 'the test').release();
  const url = server.database();
  const env = { DATABASE: url };
  const used = await open({ path: catalogFileIn(first) });
  const jobId = await fill(used);
  const newest = await used.journal.newestChange();
  const audit = await used.audit.verify();
  await used.close();

  const there = holdfast(['catalog', 'move', first, 'env:DATABASE', '--json'], { env });
  assert.deepEqual([there.status, there.stderr], [0, '']);
  const [summary] = jsonLines(there.stdout);
  assert.equal((summary!.tables as Record<string, number>).job_lines, 1200);
  const again = holdfast(['catalog', 'move', first, 'env:DATABASE'], { env });
  assert.equal(again.status, 1);
  assert.match(again.stderr, /the catalog to copy to is not empty/);

  await using moved = await open({ url });
  assert.deepEqual(await moved.settings.find('größer'), odd);
  assert.deepEqual(await moved.audit.verify(), audit);
  // The engine that had run it stayed behind.
  assert.equal((await moved.jobs.get(jobId))!.state, 'queued');
  assert.ok(await moved.jobs.begin({ id: jobId, runId: 'of the new engine', workerId: 'w' }));
  await moved.settings.save('zone', 'UTC');
  assert.equal(await moved.journal.newestChange(), newest + 2, 'numbers go on');

  writeFileSync(join(folder, 'url'), `${url}\n`);
  const back = holdfast(['catalog', 'move', `file:${join(folder, 'url')}`, last]);
  assert.deepEqual([back.status, back.stderr], [0, '']);
  await using returned = await open({ path: catalogFileIn(last) });
  assert.equal((await returned.jobs.lines(jobId, { after: 1199, limit: 9 }))[0]!.message, 'line 1199');
  assert.equal(await returned.settings.find('zone'), 'UTC');
});

test('a self backup of PostgreSQL is a catalog file, for us alone', async () => {
  await using catalog = await open({ url: server.database() });
  const jobId = await fill(catalog);
  const path = join(folder, 'copy.sqlite');
  await catalog.copyTo(path);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  await assert.rejects(catalog.copyTo(path), { code: 'catalog.exists' });
  await using copy = await open({ path });
  assert.deepEqual(await copy.jobs.get(jobId), await catalog.jobs.get(jobId));
  assert.deepEqual((await copy.audit.verify()).count, 1);
});

test('nothing is moved where it must not be', () => {
  const places = (from: string, to: string, env = {}) => holdfast(['catalog', 'move', from, to], { env });
  const absent = places(join(folder, 'absent'), join(folder, 'target'));
  assert.equal(absent.status, 1);
  assert.match(absent.stderr, /there is no catalog/);
  assert.ok(!existsSync(join(folder, 'absent')));
  const secret = places('postgres://ada:canary-9@127.0.0.1/x', join(folder, 'target'));
  assert.equal(secret.status, 2);
  assert.ok(!secret.stderr.includes('canary-9'));
  const used = join(folder, 'used');
  using _ = lockState(used, 'the server, process 4711');
  const busy = places('env:DATABASE', used, { DATABASE: server.database() });
  assert.equal(busy.status, 11);
  assert.match(busy.stderr, /is in use by the server, process 4711/);
});

test('a new master key takes the place of the old one, with which nothing opens any more', async () => {
  const home = join(folder, 'home');
  lockState(home, 'the test').release();
  const keyFile = join(home, 'master.key');
  const old = loadMasterKeys(keyFile, { random: systemRandom, mayMake: true });
  const place = { path: catalogFileIn(home) };
  const before = await Catalog.open({ place, masterKeys: old, parse });
  const { reference } = await before.secrets.add('rotated-secret');
  await before.close();
  const run = holdfast(['catalog', 'rotate-key'], { env: { HOLDFAST_HOME: home } });
  assert.deepEqual([run.status, run.stderr], [0, '']);
  await assert.rejects(Catalog.open({ place, masterKeys: old, parse }), { code: 'catalog.master-key' });
  const rotated = loadMasterKeys(keyFile, { random: systemRandom, mayMake: false });
  assert.equal(rotated.length, 1);
  await using catalog = await Catalog.open({ place, masterKeys: rotated, parse });
  assert.equal(await catalog.secrets.open(reference), 'rotated-secret');
});
