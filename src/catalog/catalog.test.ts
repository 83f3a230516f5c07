import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { systemRandom } from '#base';
import { type PostgresServer, startPostgres } from '../../test/servers/postgres.ts';
import { Catalog } from './catalog.ts';
import { type CatalogPlace, openDatabase } from './database/open-database.ts';
import type { JobId, JobRecord, NewJob } from './jobs/job.ts';
import { loadMasterKeys, newSealingKey } from './secrets/master-key.ts';

let folder: string;
let server: PostgresServer;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-catalog-'));
  server = await startPostgres();
});
after(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

let files = 0;
const masterKeys = [newSealingKey(systemRandom)];
const asIs = (spec: unknown): unknown => spec;
const parse = { repository: asIs, source: asIs, plan: asIs, channel: asIs };
const open = (place: CatalogPlace): Promise<Catalog> => Catalog.open({ place, masterKeys, parse });
const work: NewJob = {
  kind: 'work',
  version: 1,
  input: { of: 'ours' },
  trigger: 'person',
  limits: ['storage:nas'],
};
const kinds = [{ name: 'work', version: 1 }];
const origin = { from: 'dashboard' } as const;

/** The catalog of one of the databases, once the tests run. */
interface Opened {
  catalog: Catalog;
  place: CatalogPlace;
}

function dispatch({ catalog }: Opened): Promise<JobRecord[]> {
  return catalog.jobs.dispatch({ kinds, capacityOf: () => 1, countMax: 10 });
}

/** Takes what waits out of the way of the next test. */
async function endAll({ catalog }: Opened): Promise<void> {
  for (const { id } of (await catalog.jobs.list({ states: ['queued', 'running'] }, { limit: 100 })).items) {
    const held = await catalog.jobs.begin({ id, runId: `run of ${id}`, workerId: 'w' });
    if (held) await catalog.jobs.finish(held, { state: 'succeeded' });
  }
}

function testConfigured(at: Opened): void {
  test('what is configured is found by its name, changed by who read it last, and removed', async () => {
    const added = await at.catalog.plans.add({ name: 'shop', spec: { kind: 'backup' }, origin });
    assert.equal(added.revision, 1);
    await assert.rejects(at.catalog.plans.add({ name: 'shop', spec: {}, origin }), {
      code: 'catalog.exists',
    });
    const changed = await at.catalog.plans.change('shop', { spec: { kind: 'self' }, revision: 1 });
    assert.deepEqual([changed.revision, changed.id], [2, added.id]);
    await assert.rejects(at.catalog.plans.change('shop', { spec: {}, revision: 1 }), {
      code: 'catalog.changed',
    });
    assert.deepEqual((await at.catalog.plans.get('shop')).spec, { kind: 'self' });
    assert.equal(await at.catalog.sources.find('shop'), undefined);
    assert.deepEqual(await at.catalog.plans.page({ limit: 1 }), {
      items: await at.catalog.plans.list(),
      next: undefined,
    });
    assert.deepEqual((await at.catalog.plans.page({ limit: 1, cursor: 'shop' })).items, []);
    await at.catalog.plans.remove('shop');
    await at.catalog.plans.remove('shop');
    await assert.rejects(at.catalog.plans.get('shop'), { code: 'catalog.absent' });
  });

  test('pages hear of each change after the one they know, or that they missed some', async () => {
    const before = await at.catalog.journal.newestChange();
    await at.catalog.settings.save('zone', 'Europe/Paris');
    const { changes, isComplete } = await at.catalog.journal.changesAfter(before, 10);
    assert.ok(isComplete);
    assert.deepEqual(
      changes.map(({ change }) => change),
      [{ type: 'changed', noun: 'settings', name: 'zone' }],
    );
    await at.catalog.settings.save('zone', 'UTC');
    await at.catalog.journal.prune({ changesBefore: new Date(Date.now() + 1000), eventsBefore: new Date(0) });
    assert.ok((await at.catalog.journal.changesAfter(before + 1, 10)).isComplete);
    assert.equal((await at.catalog.journal.changesAfter(before, 10)).isComplete, false);
  });

  test('the trash gives back what it has, and badges are the newest of each rung', async () => {
    const snapshot = { repository: 'nas', id: 'a'.repeat(64), takenAt: new Date(5), facts: {} };
    await at.catalog.snapshots.save([snapshot]);
    await at.catalog.snapshots.addBadge(snapshot, { rung: 'checked', state: 'failed', at: 'then' });
    await at.catalog.snapshots.addBadge(snapshot, { rung: 'checked', state: 'proven', at: 'now' });
    await at.catalog.snapshots.moveToTrash('nas', [snapshot.id], new Date(9));
    assert.deepEqual((await at.catalog.snapshots.list({ repository: 'nas' }, { limit: 5 })).items, []);
    await at.catalog.snapshots.save([snapshot]);
    const known = (await at.catalog.snapshots.find('nas', snapshot.id))!;
    assert.deepEqual(
      [known.badges.length, known.badges[0]!.state, known.trashUntil],
      [1, 'proven', new Date(9)],
    );
    assert.ok(await at.catalog.snapshots.takeBack(snapshot));
    assert.equal(await at.catalog.snapshots.takeBack(snapshot), false);
  });

  test('only one can become the first administrator', async () => {
    const user = { username: 'ada', role: 'admin', passwordHash: 'x' };
    const add = (username: string) =>
      at.catalog.users.add({ ...user, username }, { onlyFirst: true, by: 'setup' });
    const outcomes = await Promise.allSettled([add('ada'), add('eve')]);
    assert.deepEqual(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    await assert.rejects(add('mallory'), { code: 'catalog.exists' });
  });
}

function testSecrets(at: Opened): void {
  test('secrets open with the key that sealed them, and with no other', async () => {
    const secret = 'canary-7f3a-secret';
    const { reference, fingerprint } = await at.catalog.secrets.add(secret);
    assert.equal(await at.catalog.secrets.open(reference), secret);
    const strangers = [newSealingKey(systemRandom)];
    const asStranger = () => Catalog.open({ place: at.place, masterKeys: strangers, parse });
    await assert.rejects(asStranger(), { code: 'catalog.master-key' });
    // As after a kill in the middle of a rotation: the file holds both keys, the secrets are sealed with the old one.
    await using rotating = await Catalog.open({
      place: at.place,
      masterKeys: [...strangers, ...masterKeys],
      parse,
    });
    assert.equal(await rotating.secrets.open(reference), secret);
    await rotating.secrets.rotate([...strangers, ...masterKeys]);
    await using stranger = await asStranger();
    assert.equal(await stranger.secrets.open(reference), secret);
    await assert.rejects(at.catalog.secrets.add('lost'), { code: 'catalog.master-key' });
    await assert.rejects(at.catalog.secrets.open(reference), { code: 'catalog.master-key' });
    await at.catalog.secrets.rotate([...masterKeys, ...strangers]);
    assert.equal((await at.catalog.secrets.add(secret)).fingerprint, fingerprint);
    if (!('path' in at.place)) return;
    for (const suffix of ['', '-wal']) assert.ok(!readFileSync(`${at.place.path}${suffix}`).includes(secret));
  });

  test('a sealed secret opens in its own row only', async () => {
    const [mine, theirs] = [await at.catalog.secrets.add('mine'), await at.catalog.secrets.add('theirs')];
    const [to, from] = [mine, theirs].map(({ reference }) => reference.slice('sealed:'.length));
    const { db } = await openDatabase(at.place);
    const { sealed } = await db
      .selectFrom('secrets')
      .select('sealed')
      .where('id', '=', from!)
      .executeTakeFirstOrThrow();
    await db.updateTable('secrets').set({ sealed }).where('id', '=', to!).execute();
    await db.destroy();
    await assert.rejects(at.catalog.secrets.open(mine.reference), { code: 'catalog.damaged' });
    await at.catalog.secrets.remove(mine.reference);
    await assert.rejects(at.catalog.secrets.open(mine.reference), { code: 'catalog.absent' });
  });
}

function testRecords(at: Opened): void {
  test('a chain has no gaps, whoever writes, and tells where somebody changed it', async () => {
    const { audit } = at.catalog;
    await Promise.all(
      ['ada', 'eve', 'ada'].map((subject) => audit.append({ subject, body: { did: 'sign in' } })),
    );
    const first = await audit.list({}, { limit: 2 });
    const rest = await audit.list({}, { limit: 2, cursor: first.next });
    assert.deepEqual(
      [...first.items, ...rest.items].map(({ number }) => number),
      [3, 2, 1],
    );
    assert.equal((await audit.list({ subject: 'ada' }, { limit: 5 })).items.length, 2);
    const [newest] = first.items;
    assert.deepEqual(await audit.find(newest!.id), newest);
    assert.deepEqual(await audit.verify(), { count: 3, hash: newest!.hash });
    assert.deepEqual(await at.catalog.evidence.verify(), { count: 0, hash: '' });
    const { db } = await openDatabase(at.place);
    const second = () => db.updateTable('chain_entries').where('chain', '=', 'audit').where('number', '=', 2);
    await second().set({ body: '{"did":"nothing"}' }).execute();
    assert.equal((await audit.verify()).brokenAt, 2);
    await second().set({ body: '{"did":"sign in"}' }).execute();
    assert.equal((await audit.verify()).brokenAt, undefined);
    await db.deleteFrom('chain_entries').where('number', '=', 1).execute();
    assert.deepEqual(await audit.verify(), { count: 0, hash: '', brokenAt: 1 });
    await db.destroy();
  });

  test('a delivery is tried by one at a time until it is settled, and then no more', async () => {
    const { deliveries } = at.catalog;
    const told = { channel: 'ops', eventNumber: 7, notification: { title: 'late' }, dedupeKey: 'plan shop' };
    const { id } = await deliveries.add(told);
    const claims = await Promise.all([deliveries.claimDue({ limit: 9 }), deliveries.claimDue({ limit: 9 })]);
    const [claimed, ...others] = claims.flat();
    assert.deepEqual([claimed!.id, claimed!.attempt, others.length], [id, 1, 0]);
    const reason = { code: 'outbound.timeout', message: 'no answer' };
    assert.ok(await deliveries.settle(claimed!, { state: 'waiting', nextAt: new Date(0), reason }));
    const [again] = await deliveries.claimDue({ limit: 9 });
    assert.deepEqual([again!.id, again!.attempt, again!.notification], [id, 2, told.notification]);
    assert.equal(await deliveries.settle(claimed!, { state: 'failed', reason }), false, 'overtaken');
    assert.ok(await deliveries.settle(again!, { state: 'delivered' }));
    assert.deepEqual(await deliveries.claimDue({ limit: 9 }), []);
    await deliveries.add(told, { code: 'notify.repeated', message: 'told already' });
    assert.equal((await deliveries.lastTold({ channel: 'ops', dedupeKey: 'plan shop' }))!.id, id);
    const { items } = await deliveries.list({ channel: 'ops' }, { limit: 9 });
    assert.deepEqual(
      items.map(({ state }) => state),
      ['suppressed', 'delivered'],
    );
    await deliveries.prune(new Date(Date.now() + 1000));
    assert.deepEqual((await deliveries.list({}, { limit: 9 })).items, []);
  });

  test('pages of snapshots neither repeat nor skip those of one time and id', async () => {
    const places = ['one_x', 'two', 'three'].map((repository) => ({ repository, id: 'b'.repeat(64) }));
    await at.catalog.snapshots.save(
      places.map((place) => ({ ...place, plan: 'paged', takenAt: new Date(7), facts: {} })),
    );
    const found: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await at.catalog.snapshots.list({ plan: 'paged' }, { limit: 1, cursor });
      found.push(...page.items.map(({ repository }) => repository));
      cursor = page.next;
    } while (cursor !== undefined);
    assert.deepEqual(found.sort(), ['one_x', 'three', 'two']);
  });
}

function testQueue(at: Opened): void {
  test('jobs start oldest first, within their limits, and say what they wait for', async () => {
    const [first, second] = [await at.catalog.jobs.create(work), await at.catalog.jobs.create(work)];
    assert.deepEqual(
      (await dispatch(at)).map(({ id }) => id),
      [first.id],
    );
    assert.deepEqual(await dispatch(at), []);
    assert.equal((await at.catalog.jobs.get(second.id))!.waitsFor, 'another job on storage nas runs already');
    const held = await at.catalog.jobs.begin({ id: first.id, runId: 'r', workerId: 'w' });
    assert.ok(await at.catalog.jobs.finish(held!, { state: 'succeeded', result: { bytes: 1 } }));
    assert.deepEqual((await at.catalog.jobs.get(first.id))!.result, { bytes: 1 });
    assert.deepEqual(
      (await dispatch(at)).map(({ id }) => id),
      [second.id],
    );
    await endAll(at);
  });

  test('two that hand jobs over at once hand each over once', async () => {
    for (let i = 0; i < 20; i++) await at.catalog.jobs.create({ ...work, limits: [] });
    const passes = await Promise.all(Array.from({ length: 8 }, () => dispatch(at)));
    const ids = passes.flat().map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
    assert.equal(ids.length, 10, 'no more than may be under way');
    await endAll(at);
  });

  test('one idempotency key is one job', async () => {
    const keyed = { ...work, idempotencyKey: 'tonight' };
    const [one, other] = await Promise.all([at.catalog.jobs.create(keyed), at.catalog.jobs.create(keyed)]);
    assert.equal(one.id, other.id);
    await endAll(at);
  });

  test('a cancelled job ends at once when it waits, and is asked to when it runs', async () => {
    const waiting = await at.catalog.jobs.create(work);
    assert.ok(await at.catalog.jobs.cancel(waiting.id, 'Ada'));
    assert.equal((await at.catalog.jobs.get(waiting.id))!.state, 'cancelled');
    assert.equal(await at.catalog.jobs.cancel(waiting.id, 'Ada'), false);
    const { id } = await at.catalog.jobs.create(work);
    const held = (await at.catalog.jobs.begin({ id, runId: 'r', workerId: 'w' }))!;
    assert.ok(await at.catalog.jobs.cancel(id, 'Ada'));
    assert.equal(await at.catalog.jobs.heartbeat(held), 'cancel');
    // Its worker dies before it obeys: who takes over ends it.
    assert.equal(await at.catalog.jobs.begin({ id, runId: 'r', workerId: 'heir' }), undefined);
    assert.deepEqual((await at.catalog.jobs.get(id))!.reason, {
      code: 'jobs.cancelled',
      message: 'cancelled by Ada',
    });
  });

  test('a job whose worker is silent is interrupted, and gives its limits back', async () => {
    const { id } = await at.catalog.jobs.create(work);
    await dispatch(at);
    await at.catalog.jobs.begin({ id, runId: 'r', workerId: 'w' });
    assert.deepEqual(await at.catalog.jobs.interruptSilent(new Date(0)), []);
    assert.deepEqual(await at.catalog.jobs.interruptSilent(new Date(Date.now() + 1000)), [id]);
    assert.equal((await at.catalog.jobs.get(id))!.state, 'interrupted');
    const next = await at.catalog.jobs.create(work);
    assert.deepEqual(
      (await dispatch(at)).map((job) => job.id),
      [next.id],
    );
    await endAll(at);
  });
}

function testExecution(at: Opened): void {
  test('a worker that was taken for dead changes nothing any more', async () => {
    const { id } = await at.catalog.jobs.create(work);
    const lost = (await at.catalog.jobs.begin({ id, runId: 'run', workerId: 'frozen' }))!;
    const heir = (await at.catalog.jobs.begin({ id, runId: 'run', workerId: 'heir' }))!;
    assert.equal(heir.job.attempt, 2);
    assert.equal(await at.catalog.jobs.begin({ id, runId: 'another run', workerId: 'w' }), undefined);
    assert.equal(await at.catalog.jobs.heartbeat(lost), 'lost');
    await at.catalog.jobs.saveStep(lost, {
      name: 'late',
      state: 'succeeded',
      attempt: 1,
      startedAt: new Date(),
    });
    assert.equal(await at.catalog.jobs.finish(lost, { state: 'succeeded' }), false);
    assert.equal(await at.catalog.jobs.park(lost, { waitsFor: 'nothing', isWait: true }), false);
    assert.deepEqual(await at.catalog.jobs.steps(id), []);
    assert.equal(await at.catalog.jobs.heartbeat(heir), 'mine');
    assert.ok(await at.catalog.jobs.finish(heir, { state: 'succeeded' }));
    assert.equal(await at.catalog.jobs.heartbeat(heir), 'lost');
  });

  test('lines of a log are numbered without gaps, and read on from where one was', async () => {
    const { id } = await at.catalog.jobs.create(work);
    const line = (message: string) => ({ at: new Date(), level: 'info' as const, message });
    await at.catalog.jobs.appendLines(id, [line('one'), line('two')]);
    await at.catalog.jobs.appendLines(id, [line('three')]);
    const lines = await at.catalog.jobs.lines(id, { after: 1, limit: 10 });
    assert.deepEqual(
      lines.map(({ number, message }) => [number, message]),
      [
        [2, 'two'],
        [3, 'three'],
      ],
    );
    await endAll(at);
  });

  test('pages of jobs neither repeat nor skip, whatever comes meanwhile', async () => {
    for (let i = 0; i < 5; i++) await at.catalog.jobs.create({ ...work, plan: 'paged' });
    const first = await at.catalog.jobs.list({ plan: 'paged' }, { limit: 3 });
    await at.catalog.jobs.create({ ...work, plan: 'paged' });
    const second = await at.catalog.jobs.list({ plan: 'paged' }, { limit: 3, cursor: first.next });
    assert.equal(second.next, undefined);
    const ids = [...first.items, ...second.items].map(({ id }) => id);
    assert.equal(new Set(ids).size, 5);
    const filter = { kinds: ['work', 'other'], states: ['queued', 'running'] } as const;
    await at.catalog.jobs.begin({ id: ids[2]!, runId: 'r', workerId: 'w' });
    const all = (await at.catalog.jobs.list(filter, { limit: 99 })).items.map(({ id }) => id);
    const paged: string[] = [];
    for (let cursor: string | undefined, isMore = true; isMore; isMore = cursor !== undefined) {
      const page = await at.catalog.jobs.list(filter, { limit: 2, cursor });
      paged.push(...page.items.map(({ id }) => id));
      cursor = page.next;
    }
    assert.equal(all.length, 6);
    assert.deepEqual(paged, all, 'of several states and kinds too');
    await endAll(at);
  });

  test('a job that is unknown is not made up', async () => {
    assert.equal(await at.catalog.jobs.get('nobody' as JobId), undefined);
    assert.equal(await at.catalog.jobs.cancel('nobody' as JobId, 'Ada'), false);
  });
}

for (const [database, placeOf] of [
  ['SQLite', (): CatalogPlace => ({ path: join(folder, `${files++}.sqlite`) })],
  ['PostgreSQL', (): CatalogPlace => ({ url: server.database() })],
] as const) {
  describe(`a catalog in ${database}`, () => {
    const at = {} as Opened;
    before(async () => {
      at.place = placeOf();
      at.catalog = await open(at.place);
    });
    after(() => at.catalog.close());
    testConfigured(at);
    testSecrets(at);
    testRecords(at);
    testQueue(at);
    testExecution(at);
  });
}

test('a copy of a catalog file is a catalog, taken while the other one is used', async () => {
  const [path, copy] = [join(folder, 'own.sqlite'), join(folder, 'copy.sqlite')];
  await using catalog = await open({ path });
  await catalog.settings.save('zone', 'UTC');
  await catalog.copyTo(copy);
  await using other = await open({ path: copy });
  assert.equal(await other.settings.find('zone'), 'UTC');
});

test('a master key is made once, for us alone', () => {
  const path = join(folder, 'master.key');
  assert.throws(() => loadMasterKeys(path, { random: systemRandom, mayMake: false }), {
    code: 'catalog.master-key',
  });
  const [made] = loadMasterKeys(path, { random: systemRandom, mayMake: true });
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(loadMasterKeys(path, { random: systemRandom, mayMake: true }), [made]);
});
