import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import {
  addKey,
  changePassword,
  changeTags,
  checkRepository,
  copySnapshots,
  inlineExecutor,
  listKeys,
  type PackId,
  type Repository,
  removeAllLocks,
  removeKey,
  repairIndex,
  repairPacks,
  repairSnapshots,
  type StoredSnapshot,
  stableIdOf,
} from '#repository';
import { MemoryStorage } from '#storage';
import { SimulatedClock } from '../../src/repository/format/testing/simulated-clock.ts';
import {
  filesOf,
  initSmall,
  testKdf as kdf,
  openSmall,
  snapshotOf,
} from '../../src/repository/testing/small-repository.ts';
import { type FaultKind, type FaultPlan, nthCall } from '../../src/storage/testing/fault-plan.ts';
import { faulty } from '../../src/storage/testing/faulty.ts';

type Files = Map<string, Uint8Array>;

/** One thing that is done to a repository and may break off at any call to the storage. */
interface Work {
  /** What the storage holds before. */
  files: Files;
  run(repository: Repository): Promise<unknown>;
  /** After a break: nothing that was there is lost. */
  assertKept(files: Files): Promise<void>;
  /** How the second run opens the repository; undefined when there is nothing left to do. */
  reopen?(files: Files): Promise<Repository | undefined>;
  /** After the second run: all is as it would be without a break. */
  assertDone(files: Files): Promise<void>;
}

const kinds: FaultKind[] = ['fail', 'fail-after', 'crash', 'crash-after'];
const callsMax = 2000;
const executor = inlineExecutor();
const first = { 'a/one': 'one', 'a/b/two': 'two'.repeat(1000) };
const second = { ...first, 'c/three': 'three' };

let sound: Files;
let copyFiles: Files;
let snapshots: StoredSnapshot[];

before(async () => {
  sound = new Map();
  const repository = await initSmall(new MemoryStorage(sound), { executor });
  await snapshotOf(repository, first, { tags: ['t'] });
  await snapshotOf(repository, second, { timeNs: 1_700_000_001_000_000_000n, parent: 'none' });
  snapshots = await repository.snapshots();
  copyFiles = new Map();
  const copy = await initSmall(new MemoryStorage(copyFiles), { seed: 7, executor });
  await copySnapshots(repository, copy);
});

const open = (files: Files, password = 'secret') =>
  openSmall(new MemoryStorage(files), { executor, password });
const openCopy = () => open(new Map(copyFiles));

/** Breaks the work off at the Nth call, for every N, in every way, and then finishes it. */
async function breakEverywhere(work: Work): Promise<void> {
  for (const kind of kinds) {
    let n = 1;
    for (; ; n++) {
      assert.ok(n < callsMax, `${kind}: the work never ends`);
      const files = new Map(work.files);
      const plan = nthCall(n, kind);
      const outcome = await runWith(plan, files, work);
      if (plan.unmet().length > 0) {
        assert.equal(outcome, 'done', `${kind}: ${outcome}`);
        break;
      }
      await work.assertKept(files);
      const repository = await (work.reopen ?? open)(files);
      if (repository) {
        await removeAllLocks(repository);
        await work.run(repository);
      }
      await work.assertDone(files);
    }
    assert.ok(n > 3, `${kind}: only ${n - 1} calls were broken off`);
  }
}

/** Runs the work on a storage that fails by the plan, once the repository is open. */
async function runWith(plan: FaultPlan, files: Files, work: Work): Promise<unknown> {
  const clock = new SimulatedClock();
  const life = new AbortController();
  let isArmed = false;
  const storage = faulty(new MemoryStorage(files), {
    plan: { next: (call) => (isArmed ? plan.next(call) : undefined), unmet: () => plan.unmet() },
    clock,
    life,
  });
  const repository = await openSmall(storage, { executor, clock, seed: 3 });
  isArmed = true;
  const died = new Promise((resolve) => life.signal.addEventListener('abort', () => resolve('died')));
  const ended = work.run(repository).then(
    () => 'done',
    (error: unknown) => error,
  );
  return clock.run(Promise.race([ended, died]));
}

async function assertSound(files: Files): Promise<void> {
  const { findings } = await checkRepository(await unlocked(files), { readData: 'all' });
  assert.deepEqual(
    findings.filter(({ gravity }) => gravity === 'error'),
    [],
  );
}

async function unlocked(files: Files, password?: string): Promise<Repository> {
  const repository = await open(files, password);
  await removeAllLocks(repository);
  return repository;
}

/** The two snapshots, each once, with all their files. */
async function assertWhole(files: Files): Promise<StoredSnapshot[]> {
  await assertSound(files);
  const repository = await open(files);
  const found = await repository.snapshots();
  assert.deepEqual(found.map(stableIdOf), snapshots.map(stableIdOf));
  assert.deepEqual(await filesOf(repository, found[0]!), first);
  assert.deepEqual(await filesOf(repository, found[1]!), second);
  return found;
}

/** Sound, and no snapshot is lost. */
async function assertNoneLost(files: Files): Promise<void> {
  await assertSound(files);
  const found = await (await open(files)).snapshots();
  assert.deepEqual(new Set(found.map(stableIdOf)), new Set(snapshots.map(stableIdOf)));
}

const packsOf = (files: Files) =>
  [...files.keys()].filter((name) => name.startsWith('data/')).map((name) => name.slice(8) as PackId);
const nameOfPack = (id: string) => `data/${id.slice(0, 2)}/${id}`;

test('a copy that broke off at any call is finished by the next one', async () => {
  const files: Files = new Map();
  await initSmall(new MemoryStorage(files), { seed: 9, executor });
  await breakEverywhere({
    files,
    run: async (to) => copySnapshots(await open(new Map(sound)), to),
    assertKept: assertSound,
    assertDone: async (done) => {
      await assertWhole(done);
      const dataBlobs = new Set<string>();
      const target = await (await open(done)).index();
      target.forEachCopy((type, id) => dataBlobs.add(`${type} ${id.join()}`));
      assert.equal(target.copyCount, 0, 'a blob was copied twice');
    },
  });
});

test('a change of tags that broke off at any call loses and doubles no snapshot', async () => {
  await breakEverywhere({
    files: sound,
    run: async (repository) => changeTags(repository, await repository.snapshots(), { add: ['new'] }),
    assertKept: assertNoneLost,
    assertDone: async (files) => {
      const tags = (await assertWhole(files)).map((snapshot) => snapshot.tags);
      assert.deepEqual(tags, [['t', 'new'], ['new']]);
    },
  });
});

test('a repair of the index that broke off at any call is finished by the next one', async () => {
  const files = new Map(sound);
  const indexes = [...files.keys()].filter((name) => name.startsWith('index/'));
  assert.equal(indexes.length, 2);
  files.set(indexes[0]!, files.get(indexes[0]!)!.slice(0, -1));
  await breakEverywhere({
    files,
    run: (repository) => repairIndex(repository),
    assertKept: async (kept) => assert.deepEqual(packsOf(kept), packsOf(sound)),
    assertDone: async (done) => {
      await assertWhole(done);
      assert.equal((await (await open(done)).index()).copyCount, 0);
    },
  });
});

test('a repair of packs that broke off at any call is finished by the next one', async () => {
  const files = new Map(sound);
  const bad = packsOf(files).slice(0, 2);
  for (const id of bad) files.set(nameOfPack(id), files.get(nameOfPack(id))!.with(40, 0));
  await breakEverywhere({
    files,
    run: async (repository) => repairPacks(repository, bad, { from: await openCopy() }),
    assertKept: async (kept) => assert.equal((await (await open(kept)).snapshots()).length, 2),
    assertDone: async (done) => {
      await assertWhole(done);
      assert.ok(!packsOf(done).some((id) => bad.includes(id)));
    },
  });
});

test('a repair of snapshots that broke off at any call loses and doubles none', async () => {
  const files = new Map(sound);
  const pack = await packWith('three');
  files.delete(nameOfPack(pack));
  await repairIndex(await open(files));
  await breakEverywhere({
    files,
    run: (repository) => repairSnapshots(repository, { forget: true }),
    assertKept: async (kept) => {
      const found = await (await open(kept)).snapshots();
      assert.deepEqual(new Set(found.map(stableIdOf)), new Set(snapshots.map(stableIdOf)));
    },
    assertDone: async (done) => {
      await assertSound(done);
      const repository = await open(done);
      const found = await repository.snapshots();
      assert.deepEqual(found.map(stableIdOf), snapshots.map(stableIdOf));
      assert.deepEqual(await filesOf(repository, found[1]!), { ...second, 'c/three': '' });
    },
  });
});

/** The pack of the second snapshot's own data. */
async function packWith(text: string): Promise<PackId> {
  const repository = await open(sound);
  const node = await repository.findNode(snapshots[1]!, `/c/${text}`);
  const index = await repository.index();
  return index.packs.idOf(index.places('data', node!.content![0]!)[0]!.pack);
}

async function passwordsOf(files: Files, candidates: string[]): Promise<string[]> {
  const opening: string[] = [];
  for (const password of candidates) {
    const repository = await open(files, password).catch((error: { code?: string }) => {
      assert.equal(error.code, 'repository.wrong-password');
    });
    if (repository) opening.push(password);
  }
  return opening;
}

test('a change of the password that broke off at any call leaves one that opens, and is finished', async () => {
  await breakEverywhere({
    files: sound,
    run: (repository) => changePassword(repository, { password: 'better', kdf }),
    assertKept: async (files) => assert.notDeepEqual(await passwordsOf(files, ['secret', 'better']), []),
    reopen: async (files) => {
      const opening = await passwordsOf(files, ['secret']);
      return opening.length > 0 ? open(files) : undefined;
    },
    assertDone: async (files) => {
      assert.deepEqual(await passwordsOf(files, ['secret', 'better']), ['better']);
      assert.equal((await listKeys(new MemoryStorage(files))).length, 1);
    },
  });
});

test('adding and removing a key, broken off at any call, can be done again', async () => {
  await breakEverywhere({
    files: sound,
    run: (repository) => addKey(repository, { password: 'more', kdf }),
    assertKept: assertNoneLost,
    assertDone: async (files) =>
      assert.deepEqual(await passwordsOf(files, ['secret', 'more']), ['secret', 'more']),
  });
  const files = new Map(sound);
  const id = await addKey(await open(files), { password: 'more', kdf });
  await breakEverywhere({
    files,
    run: async (repository) => {
      const keys = await listKeys(repository.storage);
      if (keys.some((key) => key.id === id)) await removeKey(repository, id);
    },
    assertKept: assertNoneLost,
    assertDone: async (done) => assert.deepEqual(await passwordsOf(done, ['secret', 'more']), ['secret']),
  });
});
