import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { checkRepository } from '../check/check-repository.ts';
import { memoryStorage } from '../format/testing/memory-storage.ts';
import type { Repository } from '../repository.ts';
import type { StoredSnapshot } from '../snapshot/snapshot.ts';
import { encodeSnapshot } from '../snapshot/snapshot-json.ts';
import { storeIndex, storePack } from '../testing/handmade-pack.ts';
import { initSmall, snapshotOf } from '../testing/small-repository.ts';
import { diffSnapshots } from './diff-snapshots.ts';
import { findInSnapshots } from './find-in-snapshots.ts';
import { type WalkOptions, walkSnapshot } from './walk-snapshot.ts';

let repository: Repository;
let snapshot: StoredSnapshot;
/** Folders that were asked for, and how many at once at most. */
let reads: string[];
let readsAtOnce: number;
/** Folders that cannot be read. */
let damaged: Set<string>;

beforeEach(async () => {
  repository = await initSmall(memoryStorage());
  snapshot = await snapshotOf(repository, {
    'a/one': '1',
    'a/deep/two': '2',
    'b/three': '3',
    'c/four': '4',
    last: '5',
  });
  reads = [];
  readsAtOnce = 0;
  damaged = new Set();
  let reading = 0;
  const readTree = repository.readWholeTree.bind(repository);
  repository.readWholeTree = async (id, signal) => {
    reads.push(id);
    readsAtOnce = Math.max(readsAtOnce, ++reading);
    try {
      await new Promise(setImmediate);
      if (damaged.has(id)) throw new Error('cannot be read');
      return await readTree(id, signal);
    } finally {
      reading--;
    }
  };
});

async function pathsOf(options: WalkOptions = {}): Promise<string[]> {
  const paths: string[] = [];
  for await (const { path } of walkSnapshot(repository, snapshot, options)) paths.push(path);
  return paths;
}

async function breakFolder(path: string): Promise<void> {
  damaged.add((await repository.findNode(snapshot, path))!.subtree!);
  reads = [];
}

const all = ['/a', '/a/deep', '/a/deep/two', '/a/one', '/b', '/b/three', '/c', '/c/four', '/last'];

test('walks in order, each folder once and before what is in it, and reads ahead', async () => {
  assert.deepEqual(await pathsOf(), all);
  assert.equal(reads.length, 5);
  assert.ok(readsAtOnce >= 3, `${readsAtOnce} at once`);
});

test('begins at a folder or a file', async () => {
  assert.deepEqual(await pathsOf({ path: '/a/' }), ['/a/deep', '/a/deep/two', '/a/one']);
  assert.deepEqual(await pathsOf({ path: 'b/three' }), ['/b/three']);
  await assert.rejects(pathsOf({ path: '/b/three/x' }), { code: 'repository.path-not-found' });
});

test('neither yields nor reads what is not wanted', async () => {
  const paths = await pathsOf({ isWanted: ({ path }) => path !== '/a' && path !== '/last' });
  assert.deepEqual(paths, ['/b', '/b/three', '/c', '/c/four']);
  assert.equal(reads.length, 3);
});

test('yields a folder that is not entered', async () => {
  assert.deepEqual(await pathsOf({ isEntered: () => false }), ['/a', '/b', '/c', '/last']);
});

test('goes on after a damaged folder if it may, and fails there if not', async () => {
  await breakFolder('/b');
  const told: string[] = [];
  const paths = await pathsOf({ onDamaged: ({ path, error }) => told.push(`${path} ${error.message}`) });
  assert.deepEqual(
    paths,
    all.filter((path) => path !== '/b/three'),
  );
  assert.deepEqual(told, ['/b cannot be read']);
  await assert.rejects(pathsOf(), /cannot be read/);
});

test('stops when it is told to', async () => {
  const controller = new AbortController();
  await assert.rejects(
    async () => {
      for await (const _ of walkSnapshot(repository, snapshot, { signal: controller.signal }))
        controller.abort();
    },
    { name: 'AbortError' },
  );
});

test('a folder without a match is not read again for the next snapshot', async () => {
  const next = await snapshotOf(repository, {
    'a/one': '1',
    'a/deep/two': '2',
    'b/three': '3',
    'c/four': 'other',
    last: '5',
  });
  reads = [];
  const find = async (pattern: string): Promise<string[]> => {
    const found: string[] = [];
    for await (const { path } of findInSnapshots(repository, {
      snapshots: [snapshot, next],
      patterns: [pattern],
    }))
      found.push(path);
    return found;
  };
  assert.deepEqual(await find('four'), ['/c/four', '/c/four']);
  assert.equal(reads.length, 5 + 2, 'the second time only the root and c');
  reads = [];
  assert.deepEqual(await find('/b/**/t*'), ['/b/three', '/b/three']);
  assert.equal(reads.length, 2 + 2, 'only the root and b can match');
  reads = [];
  assert.deepEqual(await find('nothing'), []);
  assert.equal(reads.length, 5 + 2);
});

test('a search tells of a damaged folder in every snapshot that has it', async () => {
  await breakFolder('/b');
  const told: string[] = [];
  const again = { ...snapshot };
  const found = findInSnapshots(repository, {
    snapshots: [snapshot, again],
    patterns: ['four'],
    onDamaged: ({ path }) => told.push(path),
  });
  for await (const { path } of found) assert.equal(path, '/c/four');
  assert.deepEqual(told, ['/b', '/b']);
});

test('a diff reads what differs, and for exact counts what is the same once', async () => {
  const after = await snapshotOf(repository, {
    'a/one': '1',
    'a/deep/two': '2',
    'b/three': '3',
    'c/four': '1',
    last: '5',
  });
  for (const { isExact, readCount, dataBlobs } of [
    { isExact: false, readCount: 4, dataBlobs: 1 },
    { isExact: true, readCount: 4 + 3, dataBlobs: 0 },
  ]) {
    reads = [];
    const changes: string[] = [];
    const { added } = await diffSnapshots(
      repository,
      { before: snapshot, after },
      {
        isExact,
        onChange: ({ modifier, path }) => changes.push(`${modifier} ${path}`),
      },
    );
    assert.deepEqual(changes, ['M /c/four']);
    assert.equal(reads.length, readCount);
    assert.equal(added.dataBlobs, dataBlobs, 'the content of four is in a/one already');
  }
});

test('an entry of an unknown type is told by a walk and by a check, never left out silently', async () => {
  const plain = '{"nodes":[{"name":"door","type":"door","mtime":"2026-01-01T00:00:00Z","content":null}]}\n';
  const pack = await storePack(repository, [{ type: 'tree', plain }]);
  await storeIndex(repository, [pack]);
  const { id: _, ...rest } = snapshot;
  await repository.unpacked.save(
    'snapshots',
    encodeSnapshot({ ...rest, tree: pack.blobs[0]!.id, paths: ['/door'] }),
  );
  snapshot = (await repository.snapshots()).find(({ paths }) => paths[0] === '/door')!;
  await assert.rejects(pathsOf(), { code: 'repository.version' });
  const told: string[] = [];
  assert.deepEqual(
    await pathsOf({ onDamaged: ({ path, error }) => told.push(`${path}: ${error.message}`) }),
    [],
  );
  assert.deepEqual(told, ["/door: an entry of the unknown type 'door'"]);
  const { findings } = await checkRepository(repository);
  assert.deepEqual(
    findings.filter(({ code }) => code === 'node-invalid').map(({ path }) => path),
    ['/door'],
  );
});
