import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { Storage } from '#storage';
import { checkRepository } from '../check/check-repository.ts';
import { memoryStorage } from '../format/testing/memory-storage.ts';
import { walkSnapshot } from '../look/walk-snapshot.ts';
import { forgetSnapshots } from '../prune/forget-snapshots.ts';
import { pruneRepository } from '../prune/prune-repository.ts';
import type { Repository } from '../repository.ts';
import { filesOf, initSmall, openSmall, snapshotOf } from '../testing/small-repository.ts';

let storage: ReturnType<typeof memoryStorage>;
let cache: ReturnType<typeof memoryStorage>;
/** Names of what was read from the storage. */
let reads: string[];

beforeEach(async () => {
  storage = memoryStorage();
  cache = memoryStorage();
  reads = [];
  const repository = await initSmall(storage);
  await snapshotOf(repository, { a: 'the first', b: 'stays' });
  await snapshotOf(repository, { b: 'stays', c: 'the second' }, { timeNs: 1_800_000_000_000_000_000n });
});

/** Opens with the cache; it must never fail. */
function openCached(): Promise<Repository> {
  const watched: Storage = {
    ...storage,
    read: (name, range, options) => {
      reads.push(name);
      return storage.read(name, range, options);
    },
  };
  return openSmall(watched, { cache, onCacheProblem: (error) => assert.fail(String(error)) });
}

function entries(kind: string): string[] {
  return [...cache.files.keys()].filter((name) => name.includes(`/${kind}/`));
}

function stored(kind: string): string[] {
  return [...storage.files.keys()].filter((name) => name.startsWith(`${kind}/`));
}

const unpackedReads = (): string[] => reads.filter((name) => /^(index|snapshots)\//.test(name));

/** Reads everything by way of the cache. */
async function allFiles(): Promise<Record<string, string | Error>[]> {
  const repository = await openCached();
  const snapshots = await repository.snapshots();
  await repository.index();
  return Promise.all(snapshots.map((snapshot) => filesOf(repository, snapshot)));
}

const both = [
  { a: 'the first', b: 'stays' },
  { b: 'stays', c: 'the second' },
];

test('the second opening reads no index and no snapshot file', async () => {
  assert.deepEqual(await allFiles(), both);
  assert.equal(unpackedReads().length, 4);
  reads = [];
  assert.deepEqual(await allFiles(), both);
  assert.deepEqual(unpackedReads(), []);
});

test('a new file is read once, and only that', async () => {
  await allFiles();
  await snapshotOf(
    await openSmall(storage, { seed: 3 }),
    { d: 'new' },
    { timeNs: 1_900_000_000_000_000_000n },
  );
  reads = [];
  assert.deepEqual(await allFiles(), [...both, { d: 'new' }]);
  assert.equal(unpackedReads().length, 2);
});

test('after a prune by somebody else it knows what the storage has, and clears away the rest', async () => {
  await allFiles();
  const other = await openSmall(storage, { seed: 4 });
  const [oldest] = await other.snapshots();
  await forgetSnapshots(other, [oldest!.id]);
  await pruneRepository(other, { graceMs: 0, maxUnused: { percent: 0 } });
  assert.deepEqual(await allFiles(), [both[1]]);
  assert.equal(entries('index').length, stored('index').length);
  assert.equal(entries('snapshots').length, 1);
  const repository = await openCached();
  const index = await repository.index();
  const packs = Array.from({ length: index.packs.count }, (_, pack) => index.packs.idOf(pack));
  for (const pack of packs) assert.ok(storage.files.has(`data/${pack.slice(0, 2)}/${pack}`));
});

test('damaged entries are read from the storage and written anew', async () => {
  await allFiles();
  const sound = new Map(cache.files);
  for (const name of [...entries('index'), ...entries('snapshots')]) {
    const bytes = cache.files.get(name)!.slice();
    bytes[bytes.length >> 1]! ^= 1;
    cache.files.set(name, bytes.subarray(0, name.includes('index') ? bytes.length : bytes.length - 7));
  }
  reads = [];
  assert.deepEqual(await allFiles(), both);
  assert.equal(unpackedReads().length, 4);
  assert.deepEqual([...cache.files.keys()].sort(), [...sound.keys()].sort());
  reads = [];
  await allFiles();
  assert.deepEqual(unpackedReads(), []);
});

test('entries of another repository under our names count for nothing', async () => {
  const foreign = memoryStorage();
  const other = await initSmall(foreign, { seed: 7, cache });
  await snapshotOf(other, { x: 'foreign' });
  await other.snapshots();
  await (await openSmall(foreign, { seed: 8, cache })).index();
  const theirs = entries('index')[0]!;
  const repository = await openCached();
  for (const name of stored('index')) cache.files.set(`${repository.id}/${name}`, cache.files.get(theirs)!);
  assert.deepEqual(await allFiles(), both);
  assert.ok(cache.files.has(theirs), 'the entries of a neighbour stay');
});

test('a check reads what the storage has, whatever the cache says', async () => {
  await allFiles();
  for (const name of [stored('index')[0]!, stored('snapshots')[0]!]) {
    const bytes = storage.files.get(name)!.slice();
    bytes[20]! ^= 1;
    storage.files.set(name, bytes);
  }
  const { findings } = await checkRepository(await openCached());
  const codes = new Set(findings.map(({ code }) => code));
  assert.ok(codes.has('index-damaged'), [...codes].join());
  assert.ok(codes.has('snapshot-damaged'), [...codes].join());
});

const dataReads = (): string[] => reads.filter((name) => name.startsWith('data/'));

async function walkAll(): Promise<string[]> {
  const repository = await openCached();
  const paths: string[] = [];
  for (const snapshot of await repository.snapshots())
    for await (const { path } of walkSnapshot(repository, snapshot)) paths.push(path);
  return paths;
}

test('folders that were read once are read from the cache', async () => {
  const paths = await walkAll();
  assert(paths.length > 0 && dataReads().length > 0);
  await untilQuiet();
  reads = [];
  assert.deepEqual(await walkAll(), paths);
  assert.deepEqual(dataReads(), []);
});

test('a part of a pack that is damaged in the cache, or in the storage when it was read, does no harm', async () => {
  const paths = await walkAll();
  await untilQuiet();
  for (const name of entries('trees')) cache.files.set(name, Buffer.from('spoilt'));
  assert.deepEqual(await walkAll(), paths);
  await untilQuiet();
  const spoilt = (bytes: Uint8Array): Uint8Array => bytes.map((byte) => byte ^ 1);
  const healthy = new Map(storage.files);
  cache.files.clear();
  for (const name of stored('data')) storage.files.set(name, spoilt(storage.files.get(name)!));
  await assert.rejects(walkAll(), { code: 'repository.damaged' });
  await untilQuiet();
  for (const [name, bytes] of healthy) storage.files.set(name, bytes);
  assert.deepEqual(await walkAll(), paths);
});

/** Until what nobody waits for has been saved. */
async function untilQuiet(): Promise<void> {
  for (let i = 0; i < 10; i++) await setImmediate();
}
