import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '#base';
import { MemoryStorage } from '#storage';
import { storeBlob } from '../backup/store-blob.ts';
import { WriteSession } from '../backup/write-session.ts';
import { checkRepository } from '../check/check-repository.ts';
import type { Repository } from '../repository.ts';
import { changeTags } from '../snapshot/change-tags.ts';
import { filesOf, initSmall, openSmall, snapshotOf } from '../testing/small-repository.ts';
import { copySnapshots } from './copy-snapshots.ts';

const noise = (sizeBytes: number, seed = 5) => seededRandom(seed).fill(new Uint8Array(sizeBytes));
const big = noise(3 * 1024 * 1024);
const files = { 'a/text': 'hello', 'a/b/big': big, 'a/empty': '', 'a/b/also': 'hello' };

async function assertSound(repository: Repository): Promise<void> {
  assert.deepEqual((await checkRepository(repository, { readData: 'all' })).findings, []);
}

const packCount = (storage: MemoryStorage) =>
  [...storage.files.keys()].filter((name) => name.startsWith('data/')).length;

test('copies into a repository with another password: same content, time, tags and host; no parent', async () => {
  const from = await initSmall(new MemoryStorage());
  const first = await snapshotOf(from, files, { tags: ['x'], hostname: 'db1' });
  const second = await snapshotOf(from, { ...files, 'a/text': 'changed' }, { hostname: 'db1' });
  assert.equal(second.parent, first.id);
  const to = await initSmall(new MemoryStorage(), { password: 'other', seed: 9 });
  const report = await copySnapshots(from, to);
  assert.deepEqual([report.present, report.failed, report.cutsDiffer], [[], [], true]);
  assert.deepEqual(
    report.copied.map(({ source }) => source.id),
    [first, second].map(({ id }) => id).sort(),
  );
  for (const { source, copy } of report.copied) {
    const { id, parent, ...kept } = source;
    assert.deepEqual(await to.findSnapshot(copy.id), { ...kept, original: id, id: copy.id });
    assert.deepEqual(await filesOf(to, copy), await filesOf(from, source));
    assert.equal(copy.parent, undefined);
  }
  assert.equal(report.counts.dataBlobs, await dataBlobCount(from));
  await assertSound(to);
});

async function dataBlobCount(repository: Repository): Promise<number> {
  let count = 0;
  (await repository.index()).forEachCopy((type) => {
    if (type === 'data') count++;
  });
  return count;
}

test('a second run copies nothing; a third one only what is new', async () => {
  const from = await initSmall(new MemoryStorage());
  await snapshotOf(from, files);
  const storage = new MemoryStorage();
  const to = await initSmall(storage, { seed: 9 });
  await copySnapshots(from, to);
  const names = [...storage.files.keys()].sort();
  const again = await copySnapshots(from, await openSmall(storage));
  assert.deepEqual([again.copied.length, again.present.length], [0, 1]);
  assert.deepEqual([...storage.files.keys()].sort(), names);
  await snapshotOf(from, { ...files, 'a/new': 'new' }, { timeNs: 1_800_000_000_000_000_000n });
  const third = await copySnapshots(from, await openSmall(storage));
  assert.deepEqual([third.copied.length, third.present.length, third.counts.dataBlobs], [1, 1, 1]);
  await assertSound(to);
});

test('knows a copy again after its tags, or those of the source, were changed', async () => {
  const from = await initSmall(new MemoryStorage());
  const first = await snapshotOf(from, files);
  const to = await initSmall(new MemoryStorage(), { seed: 9 });
  const { copied } = await copySnapshots(from, to);
  await changeTags(to, [copied[0]!.copy], { add: ['offsite'] });
  await changeTags(from, [first], { add: ['monthly'] });
  const again = await copySnapshots(from, to);
  assert.deepEqual([again.copied.length, again.present.length], [0, 1]);
});

test('does not copy blobs again that an interrupted copy has brought', async () => {
  const from = await initSmall(new MemoryStorage());
  const snapshot = await snapshotOf(from, files);
  const storage = new MemoryStorage();
  const to = await initSmall(storage, { seed: 9 });
  await copySnapshots(from, to);
  // As if it had been killed before the end: the snapshot is not there.
  for (const name of storage.files.keys()) if (name.startsWith('snapshots/')) storage.files.delete(name);
  const packs = packCount(storage);
  const again = await copySnapshots(from, await openSmall(storage));
  assert.deepEqual([again.copied.length, again.counts.dataBlobs, again.counts.treeBlobs], [1, 0, 0]);
  assert.equal(packCount(storage), packs);
  assert.equal(again.copied[0]!.source.id, snapshot.id);
  await assertSound(to);
});

test('looks below a tree that the target has: an interrupted copy may have brought no more', async () => {
  const from = await initSmall(new MemoryStorage());
  const { tree } = await snapshotOf(from, files);
  const to = await initSmall(new MemoryStorage(), { seed: 9 });
  await using lock = await to.lock({ exclusive: false });
  const session = new WriteSession(await to.writeContext(lock));
  await storeBlob(session, 'tree', await (await from.blobReader()).read('tree', tree), tree);
  await session.flush();
  await session.close();
  await lock.release();
  assert.equal((await copySnapshots(from, to)).copied.length, 1);
  await assertSound(to);
});

test('makes no copy of a snapshot that cannot be read whole, nor of another that shares the loss', async () => {
  const storage = new MemoryStorage();
  const from = await initSmall(storage);
  const shared = { 'a/lost': noise(700_000, 7) };
  const one = await snapshotOf(from, shared);
  const packs = [...storage.files.keys()].filter((name) => name.startsWith('data/'));
  const dataPack = packs.sort((a, b) => storage.files.get(b)!.length - storage.files.get(a)!.length)[0]!;
  const two = await snapshotOf(from, { ...shared, 'b/fine': 'fine' });
  const whole = await snapshotOf(from, { 'c/whole': 'whole' });
  storage.files.get(dataPack)![1000]! ^= 1;
  const to = await initSmall(new MemoryStorage(), { seed: 9 });
  const report = await copySnapshots(await openSmall(storage), to);
  assert.deepEqual(report.failed.map(({ source }) => source.id).sort(), [one.id, two.id].sort());
  for (const { error } of report.failed) assert.match(error.message, /is damaged/);
  assert.deepEqual(
    report.copied.map(({ source }) => source.id),
    [whole.id],
  );
  await assertSound(to);
});

test('shares everything with the target when both cut alike', async () => {
  const from = await initSmall(new MemoryStorage());
  await snapshotOf(from, files);
  const chunkerPolynomial = from.config.chunkerPolynomial;
  const to = await initSmall(new MemoryStorage(), { seed: 9, chunkerPolynomial } as object);
  await snapshotOf(to, files);
  const report = await copySnapshots(from, to);
  assert.deepEqual([report.cutsDiffer, report.copied.length, report.counts.dataBlobs], [false, 1, 0]);
});

test('rejects when the storage of the source does not answer, and says so', async () => {
  const storage = new MemoryStorage();
  const from = await initSmall(storage);
  await snapshotOf(from, files);
  const broken = new MemoryStorage(storage.files);
  const opened = await openSmall(broken);
  await opened.snapshots();
  broken.read = async function* (name: string) {
    if (name.startsWith('data/')) throw Object.assign(new Error('connection lost'), { code: 'ECONNRESET' });
    yield* storage.read(name);
  };
  const to = await initSmall(new MemoryStorage(), { seed: 9 });
  await assert.rejects(copySnapshots(opened, to), /connection lost/);
  assert.deepEqual(await to.snapshots(), []);
});
