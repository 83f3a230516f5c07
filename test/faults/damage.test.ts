import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Random, seededRandom } from '#base';
import {
  addKey,
  type CheckReport,
  checkRepository,
  copySnapshots,
  inlineExecutor,
  type PackId,
  type Repository,
  repairIndex,
  repairPacks,
  repairSnapshots,
  type StoredSnapshot,
} from '#repository';
import { filesSource } from '#sources';
import { MemoryStorage } from '#storage';
import { backup, restore } from '#workflows';
import { filesOf, initSmall, openSmall, testKdf } from '../../src/repository/testing/small-repository.ts';
import { Restic } from '../servers/restic.ts';
import { type Damage, damagesOf, type Files } from './damage.ts';

const password = 'secret';
const otherPassword = 'other';
const packSizeBytes = 256 * 1024;
const sizes = [0, 1, 5_000, 60_000, 100_000, 520_000, 1_300_000];
const flipsPerPack = 3;
const executor = inlineExecutor();

let folder: string;
let tree: string;
/** The sound repository, and one with copies of its snapshots. */
let sound: Files;
let copyFiles: Files;
/** Of each snapshot, by stable id: its time, and its files' content by path below `tree`. */
let contents: Map<string, Map<string, Buffer>>;
let damages: Damage[];

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-damage-'));
  tree = join(folder, 'tree');
  const random = seededRandom(3);
  makeTree(random);
  sound = new Map();
  contents = new Map();
  const repository = await initSmall(new MemoryStorage(sound), { executor });
  await addKey(repository, { password: otherPassword, kdf: testKdf });
  await save(repository);
  writeFileSync(join(tree, 'a', 'changed'), random.fill(new Uint8Array(100_000)));
  writeFileSync(join(tree, 'b', 'new'), 'new');
  await save(repository);
  copyFiles = new Map();
  const copy = await initSmall(new MemoryStorage(copyFiles), { seed: 7, executor });
  assert.equal((await copySnapshots(repository, copy)).copied.length, 2);
  damages = planDamages(seededRandom(4));
});
after(() => rmSync(folder, { recursive: true, force: true }));

function makeTree(random: Random): void {
  for (const name of ['a', 'a/deep', 'b']) mkdirSync(join(tree, name), { recursive: true });
  for (const [i, size] of sizes.entries()) {
    const below = ['a', 'a/deep', 'b'][i % 3]!;
    writeFileSync(join(tree, below, `file-${size}`), random.fill(new Uint8Array(size)));
  }
  writeFileSync(join(tree, 'a', 'changed'), 'short at first');
  writeFileSync(join(tree, 'b', 'text'), 'abc '.repeat(50_000));
}

async function save(repository: Repository): Promise<void> {
  const { state, snapshot } = await backup({
    repository,
    source: filesSource({ paths: [tree] }),
    packSizeBytes,
  });
  assert.equal(state, 'succeeded');
  contents.set(snapshot!.id, readTree(tree));
}

function readTree(root: string): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (const name of readdirSync(root, { recursive: true, encoding: 'utf8' }).sort())
    if (statSync(join(root, name)).isFile()) files.set(name, readFileSync(join(root, name)));
  return files;
}

function planDamages(random: Random): Damage[] {
  const all: Damage[] = [];
  for (const prefix of ['index/', 'snapshots/', 'data/']) {
    const names = [...sound.keys()].filter((name) => name.startsWith(prefix)).sort();
    names.forEach((name, i) => {
      const other = names.length > 1 ? names[(i + 1) % names.length] : undefined;
      const flips = prefix === 'data/' ? flipsPerPack : 1;
      all.push(...damagesOf(name, sound.get(name)!.length, random, { other, flips }));
    });
  }
  return all;
}

const idOf = (name: string): string => name.slice(name.lastIndexOf('/') + 1);

function damaged(damage: Damage): MemoryStorage {
  const files = new Map(sound);
  damage.apply(files);
  return new MemoryStorage(files);
}

const open = (storage: MemoryStorage) => openSmall(storage, { executor });
const openCopy = () => openSmall(new MemoryStorage(new Map(copyFiles)), { executor });
const errorsOf = (report: CheckReport) => report.findings.filter(({ gravity }) => gravity === 'error');
const checkAll = async (storage: MemoryStorage) => checkRepository(await open(storage), { readData: 'all' });

/** What the check says names what was done; a file that is gone from index or snapshots is missed by what needs it. */
function assertNamed(damage: Damage, report: CheckReport): void {
  const errors = errorsOf(report);
  for (const name of damage.names) {
    const id = idOf(name);
    if (damage.kind === 'delete' && name.startsWith('index/')) {
      assert.ok(errors.length > 0, damage.text);
      assert.ok(report.affected.length > 0, damage.text);
    } else if (damage.kind === 'delete' && name.startsWith('snapshots/')) {
      // Nothing in the format says that a snapshot was there.
      assert.deepEqual([report.snapshots, errors], [1, []], damage.text);
    } else {
      const isNamed = errors.some(({ pack, index, snapshot }) => [pack, index, snapshot].includes(id));
      assert.ok(isNamed, `${damage.text}: ${JSON.stringify(errors)}`);
    }
  }
}

interface Restored {
  problems: string[];
  files: Map<string, Buffer>;
}

let restoreCount = 0;

async function restoreAll(repository: Repository, snapshot: StoredSnapshot): Promise<Restored> {
  const target = join(folder, `restored-${restoreCount++}`);
  const { problems, state } = await restore({ repository, snapshot, target });
  const isLost = problems.some(({ gravity }) => gravity === 'lost');
  assert.equal(state, isLost ? 'partial' : problems.length > 0 ? 'warning' : 'succeeded');
  const root = join(target, tree);
  const files = existsSync(root) ? readTree(root) : new Map<string, Buffer>();
  rmSync(target, { recursive: true });
  return { problems: problems.map(({ path }) => path), files };
}

/** Whether a path is one of these, or below one. */
const isBelow = (path: string, parents: Iterable<string>): boolean =>
  [...parents].some((parent) => parent === '/' || path === parent || path.startsWith(`${parent}/`));

/**
 * Every file is restored exactly, or it, or a folder above it, is named: by the restore as by the check before.
 * @returns whether all was whole
 */
function assertHonest(
  damage: Damage,
  snapshot: StoredSnapshot,
  restored: Restored,
  report: CheckReport,
): boolean {
  const affected = report.affected.filter((one) => one.snapshot === snapshot.id).map(({ path }) => path);
  assert.deepEqual(restored.problems.toSorted(), affected.toSorted(), damage.text);
  for (const [name, bytes] of contents.get(snapshot.original ?? snapshot.id)!) {
    const found = restored.files.get(name);
    if (!isBelow(join(tree, name), restored.problems))
      assert.ok(
        found && bytes.equals(found),
        `${damage.text}: ${name} is not what it was, and nothing is said`,
      );
  }
  return affected.length === 0;
}

/** With a damaged index file all is restored by what the packs say themselves, and the file is named. */
function assertReadFromPacks(damage: Damage, snapshot: StoredSnapshot, restored: Restored): void {
  assert.deepEqual(restored.problems.toSorted(), damage.names.toSorted(), damage.text);
  for (const [name, bytes] of contents.get(snapshot.id)!)
    assert.ok(restored.files.get(name)?.equals(bytes), `${damage.text}: ${name} is not what it was`);
}

/** The names of packs that a check calls damaged. */
function badPacks(report: CheckReport): PackId[] {
  const codes = ['pack-damaged', 'pack-missing', 'pack-size', 'blob-damaged'];
  const bad = report.findings.filter(({ code }) => codes.includes(code));
  return [...new Set(bad.map(({ pack }) => pack as PackId))];
}

async function repairAll(storage: MemoryStorage, from?: Repository): Promise<void> {
  const repository = await open(storage);
  await repairIndex(repository);
  const bad = badPacks(await checkAll(storage));
  if (bad.length > 0) await repairPacks(repository, bad, { from });
  await repairSnapshots(repository, { forget: true, from });
  if (from) await copySnapshots(from, repository);
}

/** What lies on the disk for restic: from one damage to the next hardly anything changes. */
const judged: Files = new Map();

/** Stock restic agrees that the repository is sound. */
function judge(storage: MemoryStorage, text: string): void {
  const location = join(folder, 'judged');
  for (const name of ['data', 'index', 'snapshots', 'keys', 'locks'])
    mkdirSync(join(location, name), { recursive: true });
  for (const name of judged.keys()) if (!storage.files.has(name)) rmSync(join(location, name));
  for (const [name, bytes] of storage.files) {
    if (judged.get(name) === bytes) continue;
    mkdirSync(dirname(join(location, name)), { recursive: true });
    writeFileSync(join(location, name), bytes);
  }
  judged.clear();
  for (const [name, bytes] of storage.files) judged.set(name, bytes);
  // Nobody else is there, and a lock would cost restic a wait.
  const restic = new Restic({ repository: location, password });
  const { status, output } = restic.try('check', '--read-data', '--no-lock');
  assert.equal(status, 0, `${text}: ${output}`);
}

/** Files that were not damaged are as before; of damaged ones no byte is new. */
async function assertSaved(
  storage: MemoryStorage,
  damage: Damage,
  lostBefore: ReadonlyMap<string, string[]>,
): Promise<void> {
  const repository = await open(storage);
  for (const snapshot of await repository.snapshots()) {
    const files = new Map<string, string>();
    for (const [path, content] of Object.entries(await filesOf(repository, snapshot))) {
      assert.equal(typeof content, 'string', `${damage.text}: ${path}: ${content}`);
      files.set(`/${path}`, String(content));
    }
    const id = snapshot.original ?? snapshot.id;
    for (const [name, bytes] of contents.get(id)!) {
      const path = join(tree, name);
      const found = files.get(path);
      const isWhole = found === bytes.toString('latin1');
      const wasLost = isBelow(path, lostBefore.get(id) ?? []);
      assert.ok(isWhole || wasLost, `${damage.text}: ${name} is not what it was after the repair`);
      assert.ok((found?.length ?? 0) <= bytes.length, `${damage.text}: ${name} has grown`);
    }
  }
}

test('a check names each damage, a restore never gives wrong bytes for right ones, and a repair saves the rest', async () => {
  assert.ok(damages.length > 60, `only ${damages.length} damages are tried`);
  let partial = 0;
  for (const damage of damages) {
    const storage = damaged(damage);
    const report = await checkAll(storage);
    assertNamed(damage, report);
    const lost = new Map<string, string[]>();
    const repository = await open(storage);
    const badIndexes = report.findings.filter(({ code }) => code === 'index-damaged');
    for (const snapshot of await repository.snapshots({ onDamaged: () => {} })) {
      const restored = await restoreAll(repository, snapshot);
      if (badIndexes.length > 0) {
        assertReadFromPacks(damage, snapshot, restored);
        continue;
      }
      if (!assertHonest(damage, snapshot, restored, report)) partial++;
      const isIndexGone = damage.names[0]!.startsWith('index/');
      lost.set(snapshot.original ?? snapshot.id, isIndexGone ? [] : restored.problems);
    }
    await repairAll(storage);
    assert.deepEqual(errorsOf(await checkAll(storage)), [], damage.text);
    await assertSaved(storage, damage, lost);
    judge(storage, damage.text);
  }
  assert.ok(partial > 20, 'hardly any damage hit a file');
});

test('with a second copy every file of every snapshot comes back', async () => {
  for (const damage of damages) {
    const storage = damaged(damage);
    await repairAll(storage, await openCopy());
    assert.deepEqual(errorsOf(await checkAll(storage)), [], damage.text);
    const repository = await open(storage);
    const snapshots = await repository.snapshots();
    assert.deepEqual(
      new Set(snapshots.map(({ id, original }) => original ?? id)),
      new Set(contents.keys()),
      damage.text,
    );
    await assertSaved(storage, damage, new Map());
    judge(storage, damage.text);
  }
});

test('a damaged snapshot is in the way of `latest` and of its own id only', async () => {
  const files = new Map(sound);
  const [older, newer] = await (await open(new MemoryStorage(files))).snapshots();
  files.set(`snapshots/${newer!.id}`, files.get(`snapshots/${newer!.id}`)!.slice(1));
  const repository = await open(new MemoryStorage(files));
  assert.equal((await repository.findSnapshot(older!.id.slice(0, 8))).id, older!.id);
  for (const text of ['latest', newer!.id.slice(0, 8)])
    await assert.rejects(repository.findSnapshot(text), { code: 'repository.damaged' });
});

test('nothing is written by an index that was read from the packs', async () => {
  const files = new Map(sound);
  const name = [...files.keys()].find((one) => one.startsWith('index/'))!;
  files.set(name, files.get(name)!.slice(1));
  const repository = await open(new MemoryStorage(files));
  assert.equal((await restoreAll(repository, (await repository.snapshots())[0]!)).problems[0], name);
  const before = new Map(files);
  await assert.rejects(backup({ repository, source: filesSource({ paths: [tree] }) }), {
    code: 'repository.damaged',
  });
  assert.deepEqual(new Set(files.keys()), new Set(before.keys()));
});

test('a damaged config is named when the repository is opened, and by a check of one that is open', async () => {
  const random = seededRandom(5);
  for (const damage of damagesOf('config', sound.get('config')!.length, random, {
    other: undefined,
    flips: 3,
  })) {
    const storage = damaged(damage);
    await assert.rejects(open(storage), { code: 'repository.damaged', message: /config/ }, damage.text);
    const wholeStorage = new MemoryStorage(new Map(sound));
    const repository = await open(wholeStorage);
    damage.apply(wholeStorage.files);
    const codes = errorsOf(await checkRepository(repository)).map(({ code }) => code);
    assert.deepEqual(codes, ['config-damaged'], damage.text);
  }
});

test('a damaged key is named by the check; the other one opens, and the check is clean without it', async () => {
  const random = seededRandom(6);
  const { key } = await open(new MemoryStorage(sound));
  const name = [...sound.keys()].find((one) => one.startsWith('keys/') && !one.endsWith(key.id))!;
  for (const damage of damagesOf(name, sound.get(name)!.length, random, { other: undefined, flips: 3 })) {
    const storage = damaged(damage);
    await assert.rejects(
      openSmall(storage, { password: otherPassword }),
      { code: 'repository.wrong-password' },
      damage.text,
    );
    const errors = errorsOf(await checkAll(storage));
    assert.deepEqual(
      errors.map(({ code, key: id }) => [code, id]),
      damage.kind === 'delete' ? [] : [['key-damaged', idOf(name)]],
      damage.text,
    );
    storage.files.delete(name);
    assert.deepEqual(errorsOf(await checkAll(storage)), []);
  }
});
