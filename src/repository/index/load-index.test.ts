import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { seededRandom } from '#base';
import { type Storage, StorageError } from '#storage';
import { type BlobId, type IndexId, idOf, type PackId } from '../format/ids.ts';
import { randomMasterKey } from '../format/sealed.ts';
import { memoryStorage } from '../format/testing/memory-storage.ts';
import { UnpackedFiles } from '../unpacked.ts';
import { encodeIndex, type IndexBlob, type IndexFile } from './index-file.ts';
import { loadIndex } from './load-index.ts';
import { PackContents } from './pack-contents.ts';

const random = seededRandom(5);
const key = randomMasterKey(random);
const idFor = <Id extends BlobId | PackId>(name: string): Id => idOf(Buffer.from(name)) as Id;

function filesIn(storage: Storage): UnpackedFiles {
  return new UnpackedFiles({ storage, key, random, version: 2 });
}

async function stored(...indexes: IndexFile[]): Promise<UnpackedFiles> {
  const files = filesIn(memoryStorage());
  for (const index of indexes) await files.save('index', encodeIndex(index));
  return files;
}

function blob(name: string, offset = 0, type: 'data' | 'tree' = 'data'): IndexBlob {
  return { id: idFor(name), type, offset, length: 100, uncompressedLength: 0 };
}

test('takes all files together; data and trees of one id are apart', async () => {
  const files = await stored(
    { packs: [{ id: idFor('p1'), blobs: [blob('a'), blob('b', 100)] }] },
    { packs: [{ id: idFor('p2'), blobs: [blob('a', 0, 'tree')] }] },
  );
  const { index, files: used } = await loadIndex(files);
  assert.equal(used.length, 2);
  assert.equal(index.table.size, 3);
  assert.equal(index.copyCount, 0);
  const [place] = index.places('data', idFor('b'));
  assert.equal(index.packs.idOf(place!.pack), idFor('p1'));
  assert.equal(index.packEnd(place!.pack), 200);
});

test('knows every copy of a blob, in the order in which it met them', async () => {
  const files = await stored({
    packs: ['p1', 'p2', 'p3'].map((pack) => ({ id: idFor<PackId>(pack), blobs: [blob('a')] })),
  });
  const { index } = await loadIndex(files);
  const packs = index.places('data', idFor('a')).map(({ pack }) => index.packs.idOf(pack));
  assert.deepEqual(packs, ['p1', 'p2', 'p3'].map(idFor));
  assert.equal(index.copyCount, 2);
});

test('a pack in two index files is no second copy of its blobs', async () => {
  const pack = { id: idFor<PackId>('p1'), blobs: [blob('a'), blob('b', 100)] };
  const { index } = await loadIndex(
    await stored({ packs: [pack] }, { packs: [pack, { id: idFor('p2'), blobs: [] }] }),
  );
  assert.equal(index.copyCount, 0);
  assert.equal(index.places('data', idFor('a')).length, 1);
});

test('a marked pack is the last resort of a reader, and nothing new relies on it', async () => {
  const markedAtMs = Date.UTC(2026, 0, 2);
  const { index } = await loadIndex(
    await stored({
      packs: [{ id: idFor('p1'), blobs: [blob('a')] }],
      packsToDelete: [{ id: idFor('old'), blobs: [blob('a', 7), blob('b', 107)], timeMs: markedAtMs }],
    }),
  );
  const ids = index.places('data', idFor('a')).map(({ pack }) => index.packs.idOf(pack));
  assert.deepEqual(ids, ['p1', 'old'].map(idFor));
  assert.equal(index.places('data', idFor('b')).length, 1);
  assert.equal(index.has('data', idFor('b')), false);
  const [marked] = index.markedPacks;
  assert.equal(index.markedPacks.length, 1);
  assert.equal(marked?.id, idFor('old'));
  assert.equal(marked.markedAtMs, markedAtMs);
  assert.deepEqual(marked.blobs.toArray(), [blob('a', 7), blob('b', 107)]);
});

test('a damaged file is an error, or is told and passed over', async () => {
  const storage = memoryStorage();
  const files = filesIn(storage);
  const good = await files.save('index', encodeIndex({ packs: [{ id: idFor('p1'), blobs: [blob('a')] }] }));
  const cut = await files.save('index', '{"packs":[{"id":');
  const flipped = await files.save('index', encodeIndex({ packs: [] }));
  storage.files.get(`index/${flipped}`)![40]! ^= 1;
  await assert.rejects(loadIndex(files), { code: 'repository.damaged' });
  const damaged: IndexId[] = [];
  const loaded = await loadIndex(files, { onDamaged: (id) => damaged.push(id) });
  assert.deepEqual(damaged.toSorted(), [cut, flipped].toSorted());
  assert.deepEqual(loaded.files, [good]);
  assert.ok(loaded.index.has('data', idFor('a')));
});

test('after a failure nothing is fetched any more', async () => {
  const storage = memoryStorage();
  const files = filesIn(storage);
  for (let i = 0; i < 20; i++)
    await files.save('index', encodeIndex({ packs: [{ id: idFor(`p${i}`), blobs: [] }] }));
  let reads = 0;
  let running = 0;
  const slow: Storage = {
    ...storage,
    async *read(name, range, options) {
      reads++;
      running++;
      try {
        if (reads === 2) throw new StorageError('storage.unreachable', 'away');
        await setImmediate();
        yield* storage.read(name, range, options);
      } finally {
        running--;
      }
    },
  };
  await assert.rejects(loadIndex(filesIn(slow)), { code: 'storage.unreachable' });
  assert.equal(running, 0);
  const readsThen = reads;
  for (let i = 0; i < 10; i++) await setImmediate();
  assert.equal(reads, readsThen);
  assert.ok(reads < 10);
});

test('ends with the signal', async () => {
  const files = await stored({ packs: [] });
  const signal = AbortSignal.abort(new Error('cancelled'));
  await assert.rejects(loadIndex(files, { signal, onDamaged: () => assert.fail() }), /cancelled/);
});

test('holds an index of many files in a table that fits', async () => {
  const files = filesIn(memoryStorage());
  for (let file = 0; file < 8; file++) {
    const blobs = Array.from({ length: 5000 }, (_, i) => blob(`${file} ${i}`, i * 100));
    await files.save('index', encodeIndex({ packs: [{ id: idFor(`p${file}`), blobs }] }));
  }
  const { index } = await loadIndex(files);
  assert.equal(index.table.size, 40_000);
  assert.ok(index.table.memoryBytes / 40_000 < 110, `${index.table.memoryBytes / 40_000} bytes a blob`);
  for (let file = 0; file < 8; file++) assert.ok(index.has('data', idFor(`${file} 4999`)));
});

test('the contents of packs are the index turned round, in order of offsets', async () => {
  const { index } = await loadIndex(
    await stored({
      packs: [
        { id: idFor('p1'), blobs: [blob('b', 100), blob('a')] },
        { id: idFor('empty'), blobs: [] },
        { id: idFor('p2'), blobs: [blob('t', 100, 'tree'), blob('a', 200), blob('c')] },
      ],
    }),
  );
  const contents = new PackContents(index);
  const told = Array.from({ length: index.packs.count }, (_, pack) => [
    index.packs.idOf(pack),
    contents.blobsOf(pack).map(({ type, id, offset, length }) => ({ type, id, offset, length })),
  ]);
  const wanted = (name: string, offset: number, type = 'data') => ({
    type,
    id: idFor(name),
    offset,
    length: 100,
  });
  assert.deepEqual(Object.fromEntries(told), {
    [idFor('p1')]: [wanted('a', 0), wanted('b', 100)],
    [idFor('empty')]: [],
    [idFor('p2')]: [wanted('c', 0), wanted('t', 100, 'tree'), wanted('a', 200)],
  });
});
