import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { BSON, type Document } from 'mongodb';
import type { Clock } from '#base';
import {
  checkRepository,
  initRepository,
  inlineExecutor,
  type Repository,
  type StoredSnapshot,
} from '#repository';
import { openMongoSource } from '#sources';
import { MemoryStorage } from '#storage';
import { OplogWriter } from '../sources/mongodb/testing/oplog-entries.ts';
import {
  type Script,
  type ScriptedMongo,
  startScriptedMongo,
} from '../sources/mongodb/testing/scripted-mongo.ts';
import { SkippingClock } from '../sources/mongodb/testing/skipping-clock.ts';
import { LeapingClock } from '../storage/testing/leaping-clock.ts';
import { backup } from './backup.ts';
import { type BackupOplogOutcome, backupOplog } from './backup-oplog.ts';
import { membersOf, runsOf } from './oplog-line.ts';
import { restoreDatabase } from './restore-database.ts';

const servers: ScriptedMongo[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

const bson = (value: object): Uint8Array => BSON.serialize(value);

/** A replica set of one collection that can be written to, and a repository. */
class Deployment {
  readonly oplog = new OplogWriter();
  readonly documents: Uint8Array[] = [];
  readonly script: Script;
  repository!: Repository;
  url = '';
  intercept: (command: Document) => Document | 'close' | undefined = () => undefined;

  constructor() {
    const shop = new Map([
      ['orders', { documents: this.documents, uuid: '00000000-0000-4000-8000-000000000001' }],
    ]);
    this.script = {
      databases: new Map([['shop', shop]]),
      setName: 'rs0',
      oplog: this.oplog,
      intercept: (command) => this.intercept(command),
    };
    this.oplog.noop();
  }

  static async start(clock: Clock = new LeapingClock()): Promise<Deployment> {
    const deployment = new Deployment();
    deployment.repository = await initRepository({
      storage: new MemoryStorage(),
      password: 'oplog',
      kdf: { N: 1024, r: 8, p: 1 },
      executor: inlineExecutor(),
      clock,
    });
    const server = await startScriptedMongo(deployment.script);
    servers.push(server);
    deployment.url = server.url;
    return deployment;
  }

  insert(...ids: number[]): void {
    for (const _id of ids) {
      this.documents.push(bson({ _id }));
      this.oplog.insert('shop.orders', { _id });
    }
  }

  save(more: Partial<Parameters<typeof backupOplog>[0]> = {}): Promise<BackupOplogOutcome> {
    const { url, repository } = this;
    const clock = new SkippingClock();
    return backupOplog({
      repository,
      url,
      openFull: () => openMongoSource({ url, clock }),
      sliceBytesMax: 1024 * 1024,
      isReadBack: true,
      clock,
      ...more,
    });
  }

  async snapshots(): Promise<StoredSnapshot[]> {
    return this.repository.snapshots();
  }

  /** `_id`s after a restore into an empty server. */
  async restored(snapshot: StoredSnapshot, until?: { t: number; i: number }): Promise<number[]> {
    const databases: Script['databases'] = new Map();
    const target = await startScriptedMongo({ databases });
    servers.push(target);
    const { repository } = this;
    const outcome = await restoreDatabase({ repository, snapshot, url: target.url, until });
    assert.deepEqual(outcome.problems, []);
    return databases
      .get('shop')!
      .get('orders')!
      .documents.map((one) => Number(BSON.deserialize(one)._id))
      .sort((a, b) => a - b);
  }
}

const told = ({ problems }: BackupOplogOutcome): unknown[] =>
  problems.map(({ gravity, error }) => [gravity, (error as { code?: string }).code, error.message]);

const second = '2023-11-14T22:13:20Z';

test('the first time a full backup, then slices that join; any entry can be gone back to', async () => {
  const shop = await Deployment.start();
  shop.insert(1, 2);
  const first = await shop.save();
  assert.equal(first.state, 'succeeded');
  assert.ok(first.full);
  assert.equal(first.sliceCount, 0);
  shop.insert(3, 4);
  const next = await shop.save();
  assert.deepEqual([next.full, next.sliceCount, next.entryCount], [undefined, 1, 2]);
  shop.insert(5);
  await shop.save();
  assert.equal((await shop.save()).sliceCount, 0, 'nothing new');
  const [full, one, two] = await shop.snapshots();
  assert.deepEqual(
    [full!.tags, one!.tags, two!.tags],
    [
      ['oplog=1700000000:3/1'],
      ['oplog=1700000000:3/1..1700000000:5/1'],
      ['oplog=1700000000:5/1..1700000000:6/1'],
    ],
  );
  assert.deepEqual(await shop.restored(full!), [1, 2]);
  assert.deepEqual(await shop.restored(full!, { t: 1_700_000_000, i: 4 }), [1, 2, 3]);
  assert.deepEqual(await shop.restored(one!), [1, 2, 3, 4]);
  assert.deepEqual(await shop.restored(two!), [1, 2, 3, 4, 5]);
  assert.deepEqual((await checkRepository(shop.repository, { readData: 'all' })).findings, []);
});

test('a time that is not covered is refused, and what is covered is said', async () => {
  const shop = await Deployment.start();
  shop.insert(1);
  await shop.save();
  shop.insert(2);
  await shop.save();
  const [full] = await shop.snapshots();
  await assert.rejects(shop.restored(full!, { t: 1_700_000_000, i: 99 }), {
    code: 'sources.oplog-gap',
    message: `cannot restore to ${second} (1700000000:99): this backup and its slices reach from ${second} (1700000000:2) to ${second} (1700000000:3)`,
  });
});

test('large stretches become several slices, and later full backups join them in their middle', async () => {
  const shop = await Deployment.start();
  shop.insert(1);
  await shop.save();
  shop.insert(...Array.from({ length: 40 }, (_, i) => i + 2));
  const many = await shop.save({ sliceBytesMax: 300 });
  assert.ok(many.sliceCount > 2, String(many.sliceCount));
  const source = await openMongoSource({ url: shop.url, clock: new SkippingClock() });
  const later = await backup({ repository: shop.repository, source });
  shop.insert(100);
  const last = await shop.save();
  assert.deepEqual([last.full, last.sliceCount], [undefined, 1]);
  assert.deepEqual((await shop.restored(later.snapshot!, { t: 1_700_000_000, i: 43 })).slice(-2), [41, 100]);
});

test('an oplog that rolled over: warning, its code and a sentence, a new full backup, and the next run succeeds', async () => {
  const shop = await Deployment.start();
  shop.insert(1);
  await shop.save();
  shop.insert(2, 3);
  await shop.save();
  shop.insert(4, 5, 6);
  shop.oplog.entries.splice(0, 5);
  const broken = await shop.save();
  assert.equal(broken.state, 'warning');
  assert.deepEqual(told(broken)[0], [
    'odd',
    'sources.oplog-gap',
    `the oplog rolled over: it begins at ${second} (1700000000:6), after ${second} (1700000000:4) where it was left`,
  ]);
  assert.ok(broken.full);
  shop.insert(7);
  const next = await shop.save();
  assert.deepEqual([next.state, next.full, next.sliceCount], ['succeeded', undefined, 1]);
  const all = await shop.snapshots();
  assert.deepEqual(await shop.restored(all.at(-1)!), [1, 2, 3, 4, 5, 6, 7]);
  // What came before the gap is there as far as it went; nothing leads over it.
  assert.deepEqual(await shop.restored(all[0]!, { t: 1_700_000_000, i: 4 }), [1, 2, 3]);
  await assert.rejects(shop.restored(all[0]!, { t: 1_700_000_000, i: 8 }), { code: 'sources.oplog-gap' });
  const { slices } = membersOf(all, all[0]!.paths[0]!.slice(1));
  assert.equal(runsOf(slices).length, 2);
});

test('a rollback: warning, its code and a sentence, a new full backup, and the next run succeeds', async () => {
  const shop = await Deployment.start();
  shop.insert(1);
  await shop.save();
  shop.insert(2, 3);
  await shop.save();
  // An election: the new primary never had the last entry, and wrote others.
  shop.oplog.entries.splice(-1, 1, ...new OplogWriter({ term: 2 }).entries);
  shop.documents.splice(-1, 1);
  shop.oplog.term = 2;
  shop.oplog.add({ op: 'n', ns: '', o: { msg: 'new primary' } }, { t: 1_700_000_000, i: 4 });
  shop.insert(30);
  const broken = await shop.save();
  assert.equal(broken.state, 'warning');
  assert.deepEqual(told(broken)[0], [
    'odd',
    'sources.oplog-rollback',
    `the oplog has another entry at ${second} (1700000000:4) than was read there: it was rolled back, or its member was made anew`,
  ]);
  shop.insert(31);
  const next = await shop.save();
  assert.deepEqual([next.state, next.full], ['succeeded', undefined]);
  assert.deepEqual(await shop.restored((await shop.snapshots()).at(-1)!), [1, 2, 30, 31]);
});

test('an oplog that rolls over while the full backup captures it: failed, with the reason; the next run succeeds', async () => {
  const shop = await Deployment.start();
  shop.insert(1);
  let isOver = false;
  shop.intercept = (command) => {
    if (command.tailable && !isOver) {
      isOver = true;
      shop.oplog.noop();
      shop.oplog.entries.splice(0, 2);
    }
    return undefined;
  };
  await assert.rejects(shop.save(), {
    code: 'sources.absent',
    message: /^no slice can join the full backup: not a single point in time.*the oplog rolled over/,
  });
  assert.equal((await shop.save()).state, 'succeeded');
});

test('an entry that nothing replays: what came before is saved, warning, and a new full backup', async () => {
  const shop = await Deployment.start();
  shop.insert(1);
  await shop.save();
  shop.insert(2);
  const version = { _id: 'featureCompatibilityVersion', version: '7.0' };
  shop.oplog.update('admin.system.version', 'featureCompatibilityVersion', version);
  shop.insert(3);
  const broken = await shop.save();
  assert.deepEqual([broken.state, broken.sliceCount], ['warning', 1]);
  assert.deepEqual(told(broken), [
    [
      'odd',
      'sources.oplog-gap',
      `nothing is replayed over a change of the feature compatibility at ${second} (1700000000:4)`,
    ],
  ]);
  shop.insert(4);
  const next = await shop.save();
  assert.deepEqual([next.state, next.full], ['succeeded', undefined]);
  assert.deepEqual(await shop.restored((await shop.snapshots()).at(-1)!), [1, 2, 3, 4]);
});

const faults: [string, Document | 'close'][] = [
  ['a cursor is killed', { ok: 0, code: 237, codeName: 'CursorKilled', errmsg: 'cursor was killed' }],
  ['an election', { ok: 0, code: 189, codeName: 'PrimarySteppedDown', errmsg: 'stepped down' }],
  ['a connection dies in the middle', 'close'],
  ['the server is restarted', { ok: 0, code: 11600, codeName: 'InterruptedAtShutdown', errmsg: 'shutdown' }],
];
for (const [name, fault] of faults)
  test(`${name} while the oplog is read: succeeded, and told how often`, async () => {
    const shop = await Deployment.start();
    shop.insert(1);
    await shop.save();
    shop.insert(...Array.from({ length: 50 }, (_, i) => i + 2));
    let calls = 0;
    shop.intercept = (command) => ('getMore' in command && calls++ === 1 ? fault : undefined);
    const outcome = await shop.save();
    assert.deepEqual([outcome.state, outcome.reopened, outcome.entryCount], ['succeeded', 1, 50]);
    shop.insert(99);
    assert.deepEqual([(await shop.save()).state, (await shop.snapshots()).length], ['succeeded', 3]);
    assert.equal((await shop.restored((await shop.snapshots()).at(-1)!)).length, 52);
  });

test('a server that stays away: failed, with its code; the next run loses nothing', async () => {
  const shop = await Deployment.start();
  shop.insert(1);
  await shop.save();
  shop.insert(2);
  shop.intercept = (command) => (command.find === 'oplog.rs' ? 'close' : undefined);
  await assert.rejects(shop.save(), { code: 'sources.unreachable' });
  shop.intercept = () => undefined;
  assert.equal((await shop.save()).state, 'succeeded');
  assert.deepEqual(await shop.restored((await shop.snapshots()).at(-1)!), [1, 2]);
});

test('a right that is lost: failed, with its code; a standalone server has no slices', async () => {
  const shop = await Deployment.start();
  shop.insert(1);
  await shop.save();
  const refusal = { ok: 0, code: 13, codeName: 'Unauthorized', errmsg: 'not authorized on local' };
  shop.intercept = (command) => (command.find === 'oplog.rs' ? refusal : undefined);
  await assert.rejects(shop.save(), { code: 'sources.access-denied', message: /not authorized on local/ });
  const alone = await Deployment.start();
  delete alone.script.setName;
  await assert.rejects(alone.save(), {
    code: 'sources.absent',
    message: 'there are no slices to take: a standalone server has no oplog',
  });
  assert.deepEqual(await alone.snapshots(), []);
});

/** A clock that somebody sets. */
class JumpingClock extends LeapingClock {
  #offsetMs = 0;

  override nowMs(): number {
    return super.nowMs() + this.#offsetMs;
  }

  jump(byMs: number): void {
    this.#offsetMs += byMs;
  }
}

test('a clock that jumps does not put slices in another order', async () => {
  const clock = new JumpingClock();
  const shop = await Deployment.start(clock);
  shop.insert(1);
  await shop.save();
  for (const id of [2, 3, 4]) {
    shop.insert(id);
    // Within what the repository allows: later snapshots have earlier times.
    clock.jump(-120_000);
    assert.equal((await shop.save()).state, 'succeeded');
  }
  const last = (await shop.snapshots()).find(({ tags }) => tags[0]!.endsWith('1700000000:5/1'))!;
  assert.deepEqual(await shop.restored(last), [1, 2, 3, 4]);
  clock.jump(-3_600_000);
  shop.insert(5);
  await assert.rejects(shop.save(), { code: 'repository.clock' });
  clock.jump(3_700_000);
  assert.deepEqual([(await shop.save()).state, (await shop.snapshots()).length], ['succeeded', 5]);
});

test('goes on until it is stopped, a slice each so often, and saves the last one', async () => {
  const shop = await Deployment.start();
  shop.insert(1);
  const stop = new AbortController();
  let saved = 0;
  const outcome = await shop.save({
    everyMs: 5_000,
    stop: stop.signal,
    onFull: () => shop.insert(2),
    onSlice() {
      saved++;
      shop.insert(10 + saved);
      if (saved === 2) stop.abort();
    },
  });
  assert.deepEqual([outcome.state, outcome.sliceCount, outcome.entryCount], ['succeeded', 2, 2]);
  assert.deepEqual(await shop.restored((await shop.snapshots()).at(-1)!), [1, 2, 11]);
});

test('a run that goes on outlives a server that does not answer in time, and tells of it', async () => {
  const shop = await Deployment.start();
  shop.insert(1);
  const stop = new AbortController();
  let refusals = 0;
  const outcome = await shop.save({
    everyMs: 1_000,
    stop: stop.signal,
    onFull() {
      shop.insert(2);
      const late = {
        ok: 0,
        code: 262,
        codeName: 'ExceededTimeLimit',
        errmsg: 'operation exceeded time limit',
      };
      shop.intercept = (command) => (command.tailable && refusals++ < 7 ? late : undefined);
    },
    onSlice: () => stop.abort(),
  });
  assert.deepEqual([outcome.state, outcome.sliceCount], ['warning', 1]);
  assert.deepEqual(
    told(outcome).map((one) => (one as string[]).slice(0, 2)),
    [['odd', 'sources.mongodb']],
  );
});
