import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { type Clock, seededRandom } from '#base';
import { MemoryStorage, StorageError } from '#storage';
import { checkRepository } from '../check/check-repository.ts';
import type { PackId } from '../format/ids.ts';
import { idOf } from '../format/ids.ts';
import { nameOf } from '../format/names.ts';
import { loadIndex } from '../index/load-index.ts';
import type { Repository } from '../repository.ts';
import type { StoredSnapshot } from '../snapshot/snapshot.ts';
import { type HandmadeBlob, storeIndex, storePack } from '../testing/handmade-pack.ts';
import {
  type Files,
  filesOf,
  hastyClock,
  initSmall,
  openSmall,
  snapshotOf,
} from '../testing/small-repository.ts';
import { forgetSnapshots } from './forget-snapshots.ts';
import { pruneRepository } from './prune-repository.ts';

const hourMs = 3_600_000;
const random = seededRandom(11);
const noise = (sizeBytes: number): Uint8Array => random.fill(new Uint8Array(sizeBytes));

let storage: MemoryStorage;
let repository: Repository;
let laterMs: number;
const clock: Clock = { ...hastyClock, nowMs: () => hastyClock.nowMs() + laterMs };

beforeEach(async () => {
  laterMs = 0;
  storage = new MemoryStorage();
  repository = await initSmall(storage, { clock });
});

const packs = (): string[] => [...storage.files.keys()].filter((name) => name.startsWith('data/'));
const withoutLocks = (): Map<string, Uint8Array> =>
  new Map([...storage.files].filter(([name]) => !name.startsWith('locks/')));

/** As another process sees it: sound to the last byte, without so much as a hint. */
async function assertSound(allowed: string[] = []): Promise<void> {
  const { findings } = await checkRepository(await openSmall(storage), { readData: 'all' });
  assert.deepEqual(
    findings.filter(({ code }) => !allowed.includes(code)),
    [],
  );
}

async function assertHolds(snapshot: StoredSnapshot, files: Files): Promise<void> {
  const wanted = Object.entries(files).map(([path, content]) => [
    path,
    Buffer.from(content).toString('latin1'),
  ]);
  assert.deepEqual(await filesOf(await openSmall(storage), snapshot), Object.fromEntries(wanted));
}

async function markedPacks(): Promise<PackId[]> {
  const { index } = await loadIndex(repository.unpacked);
  return index.markedPacks.map(({ id }) => id);
}

/** Two snapshots that share one file, in packs of their own; the first one is forgotten. */
async function forgetFirstOfTwo() {
  const shared = noise(50_000);
  const first = await snapshotOf(repository, { 'a/first': noise(300_000), 'a/shared': shared });
  const files = { 'a/second': noise(100_000), 'a/shared': shared };
  const second = await snapshotOf(repository, files);
  const firstFile = storage.files.get(nameOf('snapshots', first.id))!;
  await forgetSnapshots(repository, [first.id]);
  return { first, firstFile, second, files };
}

test('without grace, frees what no snapshot needs and copies what is still needed', async () => {
  const { second, files } = await forgetFirstOfTwo();
  const report = await pruneRepository(repository, { graceMs: 0 });
  assert.equal(report.snapshots, 1);
  // Each snapshot has two trees; the first pack of data is partly used, the first one of trees not at all.
  assert.deepEqual(report.blobs, { used: 4, unused: 3, duplicate: 0 });
  assert.deepEqual(
    Object.fromEntries(Object.entries(report.packs).map(([kind, { count }]) => [kind, count])),
    { kept: 2, repacked: 1, marked: 0, waiting: 0, recovered: 0, deleted: 2, locked: 0 },
  );
  assert.ok(report.bytesBefore > 450_000 && report.bytesAfter < 160_000);
  assert.equal(packs().length, 3);
  await assertSound();
  await assertHolds(second, files);
  const before = withoutLocks();
  const again = await pruneRepository(repository, { graceMs: 0 });
  assert.deepEqual([again.packs.kept.count, again.unusedBytes], [3, 0]);
  assert.deepEqual(withoutLocks(), before);
});

test('with grace, marks first and deletes in a later prune', async () => {
  const { second, files } = await forgetFirstOfTwo();
  const before = packs();
  const marking = await pruneRepository(repository, { graceMs: hourMs });
  assert.deepEqual([marking.packs.marked.count, marking.packs.deleted.count], [2, 0]);
  assert.ok(before.every((name) => storage.files.has(name)));
  assert.equal((await markedPacks()).length, 2);
  await assertSound();
  laterMs = hourMs / 2;
  const waiting = await pruneRepository(repository, { graceMs: hourMs });
  assert.deepEqual([waiting.packs.waiting.count, waiting.packs.deleted.count], [2, 0]);
  laterMs = hourMs + 1000;
  const deleting = await pruneRepository(repository, { graceMs: hourMs });
  assert.deepEqual([deleting.packs.waiting.count, deleting.packs.deleted.count], [0, 2]);
  assert.equal(packs().length, 3);
  assert.deepEqual(await markedPacks(), []);
  await assertSound();
  await assertHolds(second, files);
});

test('takes marked packs back when a snapshot that came late needs them', async () => {
  const { first, firstFile } = await forgetFirstOfTwo();
  const wanted = await filesOf(repository, first);
  await pruneRepository(repository, { graceMs: hourMs });
  storage.files.set(nameOf('snapshots', first.id), firstFile);
  laterMs = 2 * hourMs;
  const report = await pruneRepository(repository, { graceMs: hourMs });
  assert.deepEqual([report.packs.recovered.count, report.packs.deleted.count], [2, 0]);
  assert.deepEqual(await markedPacks(), []);
  // What was copied meanwhile lies there twice now.
  await assertSound(['index-duplicate']);
  assert.deepEqual(await filesOf(await openSmall(storage), first), wanted);
  assert.equal((await pruneRepository(repository, { graceMs: 0 })).blobs.duplicate, 1);
  await assertSound();
  assert.deepEqual(await filesOf(await openSmall(storage), first), wanted);
});

test('gives packs in no index file their grace, and leaves them when their index file comes', async () => {
  const late = await storePack(repository, [{ type: 'data', plain: 'late' }]);
  const lost = await storePack(repository, [{ type: 'data', plain: 'lost' }]);
  await snapshotOf(repository, { file: 'x' });
  assert.equal((await pruneRepository(repository, { graceMs: hourMs })).packs.marked.count, 2);
  assert.deepEqual(new Set(await markedPacks()), new Set([late.id, lost.id]));
  await storeIndex(repository, [late]);
  laterMs = 2 * hourMs;
  const report = await pruneRepository(repository, { graceMs: hourMs });
  assert.deepEqual([report.packs.deleted.count, report.packs.marked.count], [1, 1]);
  assert.ok(!storage.files.has(nameOf('data', lost.id)));
  const { index } = await loadIndex(repository.unpacked);
  // The late one is known and unused now: its grace has begun anew, with all its blobs.
  assert.deepEqual(
    index.markedPacks.map(({ id, blobs }) => [id, blobs.count]),
    [[late.id, 1]],
  );
});

test('leaves unused data within the limit where it is, but never unused trees', async () => {
  const many = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`f${i}`, noise(100_000)]));
  const first = await snapshotOf(repository, many);
  const { f0, ...files } = many;
  const second = await snapshotOf(repository, files);
  await forgetSnapshots(repository, [first.id]);
  const before = packs();
  const limits = [{ percent: 5 }, { sizeBytes: 200_000 }, 'unlimited'] as const;
  for (const maxUnused of limits) {
    const { packs: counts, unusedBytes } = await pruneRepository(repository, {
      maxUnused,
      dryRun: true,
      graceMs: 0,
    });
    assert.deepEqual([counts.repacked.count, counts.deleted.count], [0, 1]);
    assert.ok(unusedBytes > f0!.length);
  }
  assert.deepEqual(packs(), before);
  const report = await pruneRepository(repository, { maxUnused: { percent: 0 }, graceMs: 0 });
  assert.deepEqual([report.packs.repacked.count, report.unusedBytes], [1, 0]);
  await assertSound();
  await assertHolds(second, files);
});

test('copies no more than the limit, and goes on next time', async () => {
  const first = await snapshotOf(repository, { a: noise(200_000), b: 'b' });
  const second = await snapshotOf(repository, { b: 'b', c: noise(200_000), d: 'd' });
  const files = { b: 'b', d: 'd' };
  const third = await snapshotOf(repository, files);
  await forgetSnapshots(repository, [first.id, second.id]);
  const options = { graceMs: 0, maxRepackSizeBytes: 300_000 };
  assert.equal((await pruneRepository(repository, options)).packs.repacked.count, 1);
  await assertSound();
  assert.equal((await pruneRepository(repository, options)).packs.repacked.count, 1);
  await assertSound();
  await assertHolds(third, files);
});

test('puts small packs together when there are ten', async () => {
  const snapshots = [];
  for (let i = 0; i < 5; i++) snapshots.push(await snapshotOf(repository, { [`f${i}`]: `text ${i}` }));
  assert.equal(packs().length, 10);
  const report = await pruneRepository(repository, { graceMs: 0 });
  assert.deepEqual([report.packs.repacked.count, packs().length], [10, 2]);
  await assertSound();
  for (const [i, snapshot] of snapshots.entries()) await assertHolds(snapshot, { [`f${i}`]: `text ${i}` });
});

/** A snapshot of one file `f`, made of these blobs, in packs that nobody sound would write. */
async function handmadeSnapshot(...packsOfBlobs: HandmadeBlob[][]): Promise<StoredSnapshot> {
  const template = await snapshotOf(repository, { f: 'content' });
  const tree = (await repository.blobReader()).read('tree', template.tree);
  const treeBlob: HandmadeBlob = { type: 'tree', plain: await tree };
  for (const name of storage.files.keys()) if (/^(data|index)\//.test(name)) storage.files.delete(name);
  const stored = [];
  for (const blobs of packsOfBlobs)
    stored.push(
      await storePack(
        repository,
        blobs.map((blob) => (blob.type === 'tree' ? treeBlob : blob)),
      ),
    );
  await storeIndex(repository, stored);
  return template;
}
const content: HandmadeBlob = { type: 'data', plain: 'content' };
const aTree: HandmadeBlob = { type: 'tree', plain: '' };

test('takes data and trees apart, and compresses trees', async () => {
  const snapshot = await handmadeSnapshot([content, aTree]);
  assert.equal((await pruneRepository(repository, { graceMs: 0 })).packs.repacked.count, 1);
  assert.equal(packs().length, 2);
  await assertSound();
  await assertHolds(snapshot, { f: 'content' });
  const { index } = await loadIndex(repository.unpacked);
  assert.ok(index.places('tree', snapshot.tree)[0]!.uncompressedLength > 0);
});

test('keeps exactly one copy of what is stored several times', async () => {
  const snapshot = await handmadeSnapshot(
    [content, content],
    [content, { type: 'data', plain: 'unused' }],
    [aTree],
  );
  const report = await pruneRepository(repository, { graceMs: 0, maxUnused: { percent: 0 } });
  assert.deepEqual(report.blobs, { used: 2, unused: 1, duplicate: 2 });
  await assertSound();
  await assertHolds(snapshot, { f: 'content' });
  const { index } = await loadIndex(repository.unpacked);
  assert.equal(index.copyCount, 0);
});

test('compresses uncompressed data when asked to', async () => {
  const plain = 'all the same '.repeat(10_000);
  const snapshot = await snapshotOf(repository, { f: plain }, { compression: 'off' });
  const options = { graceMs: 0, repackUncompressed: true };
  assert.ok((await pruneRepository(repository, { graceMs: 0 })).bytesAfter > plain.length);
  assert.equal((await pruneRepository(repository, options)).packs.repacked.count, 1);
  await assertSound();
  await assertHolds(snapshot, { f: plain });
  const after = await pruneRepository(repository, options);
  assert.deepEqual([after.packs.repacked.count, after.bytesAfter < 2000], [0, true]);
});

test('copies a blob from its other copy when the first one is damaged', async () => {
  const damaged: HandmadeBlob = { type: 'data', plain: 'rubbish', id: idOf(Buffer.from('content')) };
  const unused: HandmadeBlob = { type: 'data', plain: 'unused' };
  const more: HandmadeBlob = { type: 'data', plain: 'unused, and longer' };
  const snapshot = await handmadeSnapshot([damaged, unused], [content, unused, more], [aTree]);
  await pruneRepository(repository, { graceMs: 0, maxUnused: { percent: 0 } });
  await assertSound();
  await assertHolds(snapshot, { f: 'content' });
});

const packOf = async (type: 'data' | 'tree'): Promise<string> => {
  const { index } = await loadIndex(repository.unpacked);
  let name = '';
  index.forEachCopy((found, _id, { pack }) => {
    if (found === type) name = nameOf('data', index.packs.idOf(pack));
  });
  return name;
};

const cut = (name: string) => storage.files.set(name, storage.files.get(name)!.subarray(1));
const damages: [what: string, damage: () => Promise<unknown>, code: string][] = [
  [
    'a pack of data is missing',
    async () => storage.files.delete(await packOf('data')),
    'repository.incomplete',
  ],
  ['a pack of data is cut', async () => cut(await packOf('data')), 'repository.damaged'],
  [
    'a pack of trees is missing',
    async () => storage.files.delete(await packOf('tree')),
    'repository.damaged',
  ],
  [
    'the index is missing',
    async () =>
      [...storage.files.keys()].map((name) => name.startsWith('index/') && storage.files.delete(name)),
    'repository.incomplete',
  ],
  [
    'a snapshot is damaged',
    async () => cut([...storage.files.keys()].find((name) => name.startsWith('snapshots/'))!),
    'repository.damaged',
  ],
];
for (const [what, damage, code] of damages) {
  test(`changes nothing when ${what}`, async () => {
    await snapshotOf(repository, { f: 'content' });
    await storePack(repository, [{ type: 'data', plain: 'orphan' }]);
    await damage();
    repository.forgetIndex();
    const before = withoutLocks();
    await assert.rejects(
      pruneRepository(repository, { graceMs: 0 }),
      (error: { code: string; hint: string }) => {
        assert.equal(error.code, code);
        assert.ok(error.hint);
        return true;
      },
    );
    assert.deepEqual(withoutLocks(), before);
  });
}

test('deletes nothing when a blob that is to be copied is damaged', async () => {
  const damaged: HandmadeBlob = { type: 'data', plain: 'rubbish', id: idOf(Buffer.from('content')) };
  await handmadeSnapshot([damaged, { type: 'data', plain: 'unused' }], [aTree]);
  const before = withoutLocks();
  const pruning = pruneRepository(repository, { graceMs: 0, maxUnused: { percent: 0 } });
  await assert.rejects(pruning, { code: 'repository.damaged' });
  for (const [name, bytes] of before) assert.deepEqual(storage.files.get(name), bytes);
});

test('a dry run says what would be done, and does nothing', async () => {
  await forgetFirstOfTwo();
  const before = withoutLocks();
  const planned = await pruneRepository(repository, { graceMs: 0, dryRun: true });
  assert.deepEqual(withoutLocks(), before);
  const done = await pruneRepository(repository, { graceMs: 0 });
  assert.deepEqual(planned, { ...done, isDryRun: true });
});

test('passes over packs that the storage still keeps, and deletes them later', async () => {
  await forgetFirstOfTwo();
  const remove = storage.delete.bind(storage);
  storage.delete = async (name, options) => {
    if (name.startsWith('data/')) throw new StorageError('storage.locked', `${name} is locked`);
    return remove(name, options);
  };
  const report = await pruneRepository(repository, { graceMs: 0 });
  assert.deepEqual([report.packs.locked.count, report.packs.deleted.count], [2, 0]);
  storage.delete = remove;
  await assertSound(['pack-unknown']);
  assert.equal((await pruneRepository(repository, { graceMs: 0 })).packs.deleted.count, 2);
  await assertSound();
});

test('holds its lock until all is done', async () => {
  await forgetFirstOfTwo();
  const changedUnlocked: string[] = [];
  const isLocked = () => [...storage.files.keys()].some((name) => name.startsWith('locks/'));
  const note = (name: string) => {
    if (!name.startsWith('locks/') && !isLocked()) changedUnlocked.push(name);
  };
  const write = storage.write.bind(storage);
  storage.write = async (name, content, options) => {
    note(name);
    return write(name, content, options);
  };
  const remove = storage.delete.bind(storage);
  storage.delete = async (name, options) => {
    note(name);
    return remove(name, options);
  };
  const report = await pruneRepository(repository, { graceMs: 0 });
  assert.deepEqual([report.packs.repacked.count, report.packs.deleted.count], [1, 2]);
  assert.deepEqual(changedUnlocked, []);
});

test('removes what killed writers left, where it may', async () => {
  await forgetFirstOfTwo();
  const asked: number[] = [];
  const prefixes: string[] = [];
  const removing = Object.assign(storage, {
    removeUnfinished: async (before: Date, { prefix }: { prefix: string }) => {
      asked.push(before.getTime());
      prefixes.push(prefix);
      if (prefix === 'index/') throw new StorageError('storage.access-denied', 'no');
      return 1;
    },
  });
  assert.equal(repository.storage, removing);
  for (let i = 0; i < 2; i++) await pruneRepository(repository, { graceMs: 0 });
  assert.deepEqual(prefixes, [...prefixes.slice(0, 3), 'data/', 'holdfast/', 'index/']);
  for (const beforeMs of asked) assert.ok(beforeMs <= repository.clock.nowMs() - 24 * hourMs);
});
