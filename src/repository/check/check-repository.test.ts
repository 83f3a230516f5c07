import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '#base';
import { type Storage, StorageError } from '#storage';
import { streamAttributes } from '../backup/write-snapshot.ts';
import { type BlobId, idOf } from '../format/ids.ts';
import type { MemoryStorage } from '../format/testing/memory-storage.ts';
import { newConfig, saveConfig } from '../keys/config.ts';
import type { Repository } from '../repository.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { encodeSnapshot } from '../snapshot/snapshot-json.ts';
import { nodeOf, type TreeNode } from '../snapshot/tree.ts';
import { encodeTree } from '../snapshot/tree-encode.ts';
import { storeIndex, storePack } from '../testing/handmade-pack.ts';
import { noise, reopen, smallRepository, writeStreams } from '../testing/streamed-repository.ts';
import { type CheckOptions, checkRepository } from './check-repository.ts';
import type { FindingCode } from './finding.ts';

const provoked = new Set<FindingCode>();

/** Codes of the findings, each once, sorted. */
async function codesOf(
  repository: Repository,
  options: CheckOptions = { readData: 'all' },
): Promise<FindingCode[]> {
  const { findings, isSound } = await checkRepository(repository, options);
  assert.equal(
    isSound,
    findings.every(({ gravity }) => gravity === 'hint'),
  );
  for (const { code } of findings) provoked.add(code);
  return [...new Set(findings.map(({ code }) => code))].sort();
}

function names(storage: MemoryStorage, folder: string): string[] {
  return [...storage.files.keys()].filter((name) => name.startsWith(`${folder}/`));
}

/** Two snapshots, three packs or more. */
async function filled(): Promise<{ repository: Repository; storage: MemoryStorage }> {
  const small = await smallRepository();
  await writeStreams(small.repository, { a: noise(700_000), b: 'bee' });
  await writeStreams(small.repository, { c: noise(100_000) });
  return small;
}

/** The pack that holds data (or trees) of the first snapshot. */
async function packOf(repository: Repository, type: 'data' | 'tree'): Promise<string> {
  const [snapshot] = await repository.snapshots();
  const index = await repository.index();
  const id = type === 'tree' ? snapshot!.tree : (await repository.findNode(snapshot!, '/a'))!.content![0]!;
  const pack = index.packs.idOf(index.places(type, id)[0]!.pack);
  return `data/${pack.slice(0, 2)}/${pack}`;
}

function fileNode(name: string, content: BlobId[], sizeBytes: number): TreeNode {
  return nodeOf(Buffer.from(name), { ...streamAttributes(0n), sizeBytes }, { content });
}

async function storeSnapshot(repository: Repository, tree: BlobId): Promise<void> {
  const snapshot: Snapshot = {
    timeNs: 0n,
    utcOffsetMinutes: 0,
    tree,
    paths: ['/handmade'],
    hostname: 'h',
    username: 'u',
    uid: 0,
    gid: 0,
    excludes: [],
    tags: [],
  };
  await repository.unpacked.save('snapshots', encodeSnapshot(snapshot));
}

/** A repository with one snapshot of one root tree. */
async function withTree(json: Uint8Array | string): Promise<Repository> {
  const { repository } = await smallRepository();
  const pack = await storePack(repository, [
    { type: 'tree', plain: json },
    { type: 'tree', plain: '{"nodes":[]}\n' },
  ]);
  await storeIndex(repository, [pack, await storePack(repository, [{ type: 'data', plain: 'known' }])]);
  await storeSnapshot(repository, pack.blobs[0]!.id);
  return repository;
}

test('finds nothing in a sound repository, and counts what it looked at', async () => {
  const { repository, storage } = await filled();
  const report = await checkRepository(repository, { readData: 'all' });
  assert.deepEqual(report.findings, []);
  assert.ok(report.isSound);
  assert.equal(report.snapshots, 2);
  assert.equal(report.packs, names(storage, 'data').length);
  assert.equal(report.packsRead, report.packs);
  const total = names(storage, 'data').reduce((sum, name) => sum + storage.files.get(name)!.length, 0);
  assert.equal(report.bytesRead, total);
  assert.deepEqual(names(storage, 'locks'), []);
});

test('the parts of a check cover every pack', async () => {
  const { repository, storage } = await filled();
  let read = 0;
  for (let part = 1; part <= 3; part++) {
    read += (await checkRepository(repository, { readData: { part, of: 3 } })).packsRead;
  }
  assert.equal(read, names(storage, 'data').length);
  assert.equal((await checkRepository(repository, { readData: { percent: 1 } })).packsRead, 1);
  assert.equal((await checkRepository(repository, { readData: { sizeBytes: 1 } })).packsRead, 1);
  assert.equal((await checkRepository(repository)).packsRead, 0);
});

test('a damaged index file is told, and the index with its hole is used by nobody else', async () => {
  const { repository, storage } = await filled();
  const [name] = names(storage, 'index');
  storage.files.get(name!)![30]! ^= 1;
  const fresh = await reopen(storage);
  assert.ok((await codesOf(fresh)).includes('index-damaged'));
  await assert.rejects(fresh.index(), { code: 'repository.damaged' });
  assert.ok((await codesOf(repository)).includes('index-damaged'));
  const [oldest] = await repository.snapshots();
  assert.ok(await repository.findNode(oldest!, '/a'), 'what was known before is known still');
});

test('an index file that is no index is damaged too', async () => {
  const { repository } = await filled();
  await repository.unpacked.save('index', '{"packs":[{"id":"x"}]}');
  assert.deepEqual(await codesOf(repository), ['index-damaged']);
});

test('blobs in two packs are a hint; one pack in two index files is none', async () => {
  const { repository } = await smallRepository();
  const pack = await storePack(repository, [{ type: 'data', plain: 'twice' }]);
  await storeIndex(repository, [pack]);
  await storeIndex(repository, [pack, { ...pack, id: pack.id, blobs: [] }]);
  assert.deepEqual(await codesOf(repository), []);
  await storeIndex(repository, [await storePack(repository, [{ type: 'data', plain: 'twice' }])]);
  assert.deepEqual(await codesOf(repository), ['index-duplicate']);
});

test('a missing pack is an error, and the files that need it are named', async () => {
  const { repository, storage } = await filled();
  storage.files.delete(await packOf(repository, 'data'));
  const report = await checkRepository(repository, { readData: 'all' });
  for (const { code } of report.findings) provoked.add(code);
  assert.deepEqual(
    report.findings.map(({ code }) => code),
    ['pack-missing'],
  );
  const [oldest] = await repository.snapshots();
  assert.deepEqual(
    report.affected.filter(({ path }) => path === '/a'),
    [{ snapshot: oldest!.id, path: '/a' }],
  );
  assert.ok(!report.affected.some(({ path }) => path === '/c'));
});

test('a pack that is missing is told although another index file marks it for deletion', async () => {
  const { repository, storage } = await smallRepository();
  const pack = await storePack(repository, [{ type: 'data', plain: 'marked and used' }]);
  await storeIndex(repository, [pack]);
  await storeIndex(repository, [], [pack]);
  assert.deepEqual(await codesOf(repository), []);
  for (const name of [...names(storage, 'data'), ...names(storage, 'index')]) storage.files.delete(name);
  await storeIndex(repository, [pack]);
  await storeIndex(repository, [], [pack]);
  assert.deepEqual(await codesOf(repository), ['pack-missing']);
});

test('a marked pack is no fault while it waits, nor when it is gone, unless a snapshot needs it', async () => {
  const { repository, storage } = await smallRepository();
  const marked = await storePack(repository, [{ type: 'data', plain: 'old' }]);
  await storeIndex(repository, [], [marked]);
  assert.deepEqual(await codesOf(repository), []);
  const tree = encodeTree([fileNode('f', [marked.blobs[0]!.id], 3)]);
  await storeIndex(repository, [await storePack(repository, [{ type: 'tree', plain: tree }])]);
  await storeSnapshot(repository, idOf(tree));
  assert.deepEqual(await codesOf(repository), []);
  storage.files.delete(`data/${marked.id.slice(0, 2)}/${marked.id}`);
  assert.deepEqual(await codesOf(repository), ['blob-missing']);
});

test('a pack that was cut is told without reading it', async () => {
  const { repository, storage } = await filled();
  const name = await packOf(repository, 'data');
  storage.files.set(name, storage.files.get(name)!.slice(0, -1));
  assert.deepEqual(await codesOf(repository, {}), ['pack-size']);
  assert.deepEqual(await codesOf(repository), ['pack-damaged', 'pack-size']);
});

test('a pack of both types and a pack of no index are hints', async () => {
  const { repository } = await smallRepository();
  const mixed = await storePack(repository, [
    { type: 'tree', plain: '{"nodes":[]}\n' },
    { type: 'data', plain: 'data' },
  ]);
  await storeIndex(repository, [mixed]);
  await storePack(repository, [{ type: 'data', plain: 'unknown' }]);
  assert.deepEqual(await codesOf(repository), ['pack-mixed', 'pack-unknown']);
});

test('finds every flipped byte of a pack when it reads the data', async () => {
  const { repository, storage } = await smallRepository();
  await writeStreams(repository, { a: 'a short file' });
  const index = await repository.index();
  const [snapshot] = await repository.snapshots();
  const [id] = (await repository.findNode(snapshot!, '/a'))!.content!;
  const pack = index.packs.idOf(index.places('data', id!)[0]!.pack);
  const bytes = storage.files.get(`data/${pack.slice(0, 2)}/${pack}`)!;
  for (let i = 0; i < bytes.length; i += 7) {
    bytes[i]! ^= 0x10;
    const codes = await codesOf(repository);
    assert.ok(codes.includes('pack-damaged'), `byte ${i}`);
    assert.equal(codes.includes('blob-damaged'), i < 12 + 32, `byte ${i}`);
    bytes[i]! ^= 0x10;
  }
  assert.deepEqual(await codesOf(repository), []);
});

test('a pack whose header lists other blobs than the index is damaged', async () => {
  const { repository } = await smallRepository();
  const pack = await storePack(repository, [
    { type: 'data', plain: 'one' },
    { type: 'data', plain: 'two' },
  ]);
  await storeIndex(repository, [{ ...pack, blobs: pack.blobs.slice(0, 1) }]);
  assert.deepEqual(await codesOf(repository), ['pack-damaged', 'pack-size']);
});

test('a blob under a wrong id is damaged, and the files with it are named', async () => {
  const { repository } = await smallRepository();
  const wrong = idOf<BlobId>(Buffer.from('something else'));
  const tree = encodeTree([fileNode('f', [wrong], 5)]);
  await storeIndex(repository, [
    await storePack(repository, [{ type: 'data', plain: 'plain', id: wrong }]),
    await storePack(repository, [{ type: 'tree', plain: tree }]),
  ]);
  await storeSnapshot(repository, idOf(tree));
  const report = await checkRepository(repository, { readData: 'all' });
  for (const { code } of report.findings) provoked.add(code);
  assert.deepEqual(
    report.findings.map(({ code }) => code),
    ['blob-damaged'],
  );
  assert.deepEqual(
    report.affected.map(({ path }) => path),
    ['/f'],
  );
});

test('a damaged snapshot is told, and the others are checked', async () => {
  const { repository, storage } = await filled();
  const [name] = names(storage, 'snapshots');
  storage.files.get(name!)![20]! ^= 1;
  const report = await checkRepository(repository);
  for (const { code } of report.findings) provoked.add(code);
  assert.deepEqual(
    report.findings.map(({ code }) => code),
    ['snapshot-damaged'],
  );
  assert.equal(report.snapshots, 1);
});

test('a tree that does not open or parse is damaged', async () => {
  const { repository, storage } = await filled();
  const name = await packOf(repository, 'tree');
  storage.files.get(name)![20]! ^= 1;
  assert.deepEqual(await codesOf(repository, {}), ['tree-damaged']);
  assert.deepEqual(await codesOf(await withTree('{"nodes":[{"type":"file"}]}\n')), ['tree-damaged']);
});

test('a file whose part no index knows is told by name', async () => {
  const tree = encodeTree([fileNode('f', [idOf(Buffer.from('nowhere'))], 3)]);
  const repository = await withTree(tree);
  const report = await checkRepository(repository);
  for (const { code } of report.findings) provoked.add(code);
  assert.deepEqual(
    report.findings.map(({ code, path }) => `${code} ${path}`),
    ['blob-missing /f'],
  );
  assert.deepEqual(
    report.affected.map(({ path }) => path),
    ['/f'],
  );
});

test('a file whose parts do not add up to its size is told', async () => {
  const tree = encodeTree([fileNode('f', [idOf(Buffer.from('known'))], 6)]);
  assert.deepEqual(await codesOf(await withTree(tree)), ['size-differs']);
});

test('entries that no restore may follow are told', async () => {
  const base = {
    mtime: '2026-01-01T00:00:00Z',
    atime: '2026-01-01T00:00:00Z',
    ctime: '2026-01-01T00:00:00Z',
  };
  const nodes = [
    { name: '..', type: 'file', ...base, content: [] },
    { name: 'a/b', type: 'file', ...base, content: [] },
    { name: 'dir', type: 'dir', ...base, content: null },
    { name: 'file', type: 'file', ...base, content: null },
  ];
  const report = await checkRepository(await withTree(`${JSON.stringify({ nodes })}\n`));
  for (const { code } of report.findings) provoked.add(code);
  assert.deepEqual(
    report.findings.map(({ code, path }) => `${code} ${path}`),
    ['node-invalid /..', 'node-invalid /a/b', 'node-invalid /dir', 'node-invalid /file'],
  );
});

/** A storage where files of this folder cannot be read, though they are there. */
function withBadDisk(storage: MemoryStorage, folder: string): Storage {
  return {
    ...storage,
    read(name, range, options) {
      if (name.startsWith(`${folder}/`)) throw new StorageError('storage.failed', 'the disk reports a fault');
      return storage.read(name, range, options);
    },
  };
}

test('a config and a key that are damaged are told', async () => {
  const { repository, storage } = await filled();
  storage.files.get('config')![20]! ^= 1;
  storage.files.set(`keys/${'0'.repeat(64)}`, Buffer.from('{}'));
  assert.deepEqual(await codesOf(repository), ['config-damaged', 'key-damaged']);
});

test('a key that is gone is told while the repository is open, and the config of another one', async () => {
  const { repository, storage } = await filled();
  const random = seededRandom(99);
  storage.files.delete('config');
  await saveConfig(storage, repository.key.key, newConfig(random), random);
  storage.files.delete(`keys/${repository.key.id}`);
  assert.deepEqual(await codesOf(repository), ['config-damaged', 'key-damaged']);
});

test('what the storage does not give is unreadable, not damaged', async () => {
  const { storage } = await filled();
  assert.deepEqual(await codesOf(await reopen(withBadDisk(storage, 'data'))), ['unreadable']);
  const codes = await codesOf(await reopen(withBadDisk(storage, 'index')), {});
  assert.deepEqual(codes, ['pack-unknown', 'tree-damaged', 'unreadable']);
});

test('a fault of the transfer alone is no finding', async () => {
  const { storage } = await filled();
  const seen = new Set<string>();
  const flaky: Storage = {
    ...storage,
    async *read(name, range, options) {
      const isFirst = !seen.has(name);
      seen.add(name);
      for await (const piece of storage.read(name, range, options)) {
        const copy = new Uint8Array(piece);
        if (isFirst && !name.startsWith('locks/')) copy[copy.length >> 1]! ^= 4;
        yield copy;
      }
    },
  };
  assert.deepEqual(await codesOf(await reopen(flaky)), []);
});

test('a cancelled check ends with the reason, without findings made of it', async () => {
  const { storage } = await filled();
  const cancel = new AbortController();
  const repository = await reopen({
    ...storage,
    async *read(name, range, options) {
      if (name.startsWith('data/')) cancel.abort(new Error('enough'));
      options?.signal?.throwIfAborted();
      yield* storage.read(name, range, options);
    },
  });
  const onFinding = () => assert.fail('a finding was made of the end');
  await assert.rejects(checkRepository(repository, { signal: cancel.signal, onFinding }), /enough/);
  assert.deepEqual(names(storage, 'locks'), []);
});

test('every code of a finding was provoked by these tests', () => {
  const all: Record<FindingCode, true> = {
    'config-damaged': true,
    'key-damaged': true,
    'index-damaged': true,
    'index-duplicate': true,
    'pack-missing': true,
    'pack-size': true,
    'pack-mixed': true,
    'pack-unknown': true,
    'pack-damaged': true,
    'blob-damaged': true,
    'snapshot-damaged': true,
    'tree-damaged': true,
    'blob-missing': true,
    'node-invalid': true,
    'size-differs': true,
    unreadable: true,
  };
  assert.deepEqual([...provoked].sort(), Object.keys(all).sort());
});
