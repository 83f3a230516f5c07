import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { seededRandom } from '#base';
import { openStorage, type Storage, StorageError } from '#storage';
import { type IndexId, idOf, type PackId, type SnapshotId } from '../format/ids.ts';
import { randomMasterKey } from '../format/sealed.ts';
import { memoryStorage } from '../format/testing/memory-storage.ts';
import { type CacheOptions, RepositoryCache } from './repository-cache.ts';

const random = seededRandom(90);
const key = randomMasterKey(random);
const [one, two] = ['one', 'two'].map((name) => idOf<IndexId>(Buffer.from(name))) as [IndexId, IndexId];
const content = random.fill(new Uint8Array(5000));
const repositoryId = 'aa'.repeat(32);
const entryName = `${repositoryId}/index/${one}`;

let storage: ReturnType<typeof memoryStorage>;
beforeEach(() => {
  storage = memoryStorage();
});

function cacheIn(place: Storage, options: Partial<CacheOptions> = {}): RepositoryCache {
  const onProblem = (error: unknown): void => assert.fail(`no problem was expected: ${error}`);
  return new RepositoryCache({ storage: place, repositoryId, key, random, onProblem, ...options });
}

test('gives back what was saved, also to another process', async () => {
  await cacheIn(storage).save('index', one, content);
  assert.deepEqual(new Uint8Array((await cacheIn(storage).load('index', one))!), content);
  assert.equal(await cacheIn(storage).load('index', two), undefined);
});

test('keeps nothing in the clear', async () => {
  await cacheIn(storage).save('index', one, Buffer.from('names of files'.repeat(10)));
  assert.ok(!Buffer.from(storage.files.get(entryName)!).includes('names'));
});

test('an entry with any byte changed, cut or longer is none, and can be written anew', async () => {
  const cache = cacheIn(storage);
  await cache.save('index', one, content);
  const entry = storage.files.get(entryName)!;
  const damages = [0, 11, 12, 2000, entry.length - 1].map((at) => {
    const flipped = entry.slice();
    flipped[at]! ^= 1;
    return flipped;
  });
  for (const length of [0, 12, 27, 28, entry.length - 1]) damages.push(entry.slice(0, length));
  damages.push(Buffer.concat([entry, Buffer.alloc(1)]));
  for (const damaged of damages) {
    storage.files.set(entryName, damaged);
    assert.equal(await cache.load('index', one), undefined);
  }
  await cache.save('index', one, content);
  assert.deepEqual(new Uint8Array((await cache.load('index', one))!), content);
});

test('an entry of another file, kind, repository or key is none', async () => {
  await cacheIn(storage).save('index', one, content);
  const entry = storage.files.get(entryName)!;
  const other = 'bb'.repeat(32);
  for (const name of [
    `${repositoryId}/index/${two}`,
    `${repositoryId}/snapshots/${one}`,
    `${other}/index/${one}`,
  ])
    storage.files.set(name, entry);
  assert.equal(await cacheIn(storage).load('index', two), undefined);
  assert.equal(await cacheIn(storage).load('snapshots', one as string as SnapshotId), undefined);
  assert.equal(await cacheIn(storage, { repositoryId: other }).load('index', one), undefined);
  assert.equal(await cacheIn(storage, { key: randomMasterKey(random) }).load('index', one), undefined);
});

test('removes what is no longer listed, of this kind and repository only', async () => {
  const cache = cacheIn(storage);
  const neighbour = cacheIn(storage, { repositoryId: 'bb'.repeat(32) });
  for (const it of [cache, neighbour]) for (const id of [one, two]) await it.save('index', id, content);
  await cache.save('snapshots', one as string as SnapshotId, content);
  await cache.keepOnly('index', [two]);
  const left = [...storage.files.keys()].filter((name) => name.includes(one));
  assert.deepEqual(
    left.sort(),
    [`${repositoryId}/snapshots/${one}`, `${'bb'.repeat(32)}/index/${one}`].sort(),
  );
  assert.ok(await cache.load('index', two));
});

test('a cache that fails is told of once and left alone', async () => {
  const full = new StorageError('storage.no-space', 'the disk is full');
  let writes = 0;
  const failing: Storage = {
    ...storage,
    write: async () => {
      writes++;
      throw full;
    },
  };
  const problems: unknown[] = [];
  const cache = cacheIn(failing, { onProblem: (error) => problems.push(error) });
  await Promise.all([cache.save('index', one, content), cache.save('index', two, content)]);
  await cache.save('index', one, content);
  assert.deepEqual(problems, [full]);
  assert.ok(writes <= 2);
  assert.equal(await cache.load('index', one), undefined);
});

test('a read that the caller ends is no fault of the cache', async () => {
  const cache = cacheIn(storage);
  await cache.save('index', one, content);
  const signal = AbortSignal.abort(new Error('cancelled'));
  await assert.rejects(cache.load('index', one, { signal }), /cancelled/);
  assert.ok(await cache.load('index', one));
});

test('a folder is for its owner only, and marked as a cache for backup programs', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-cache-test-'));
  after(() => rm(folder, { recursive: true, force: true }));
  const local = await openStorage(join(folder, 'cache'));
  t.after(() => local.close());
  await cacheIn(local).save('index', one, content);
  for (const path of ['', repositoryId, `${repositoryId}/index`])
    assert.equal((await stat(join(folder, 'cache', path))).mode & 0o777, 0o700);
  assert.equal((await stat(join(folder, 'cache', entryName))).mode & 0o077, 0);
  assert.ok((await readdir(join(folder, 'cache'))).includes('CACHEDIR.TAG'));
  assert.deepEqual(new Uint8Array((await cacheIn(local).load('index', one))!), content);
});

test('of packs of trees the newest parts stay, up to a limit', async () => {
  const cache = cacheIn(storage);
  const parts = Array.from(
    { length: 5 },
    (_, i) => `${idOf<PackId>(Buffer.from('pack'))}-${i * 4096}` as const,
  );
  for (const part of parts) await cache.save('trees', part, content);
  await cache.save('index', one, content);
  await cache.limitTrees(5 * 6000);
  assert.equal(storage.files.size, 7);
  await cache.limitTrees(4 * 6000);
  const left = parts.filter((part) => storage.files.has(`${repositoryId}/trees/${part}`));
  assert.deepEqual(left, parts.slice(2));
  assert(storage.files.has(entryName));
});
