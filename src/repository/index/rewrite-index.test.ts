import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { seededRandom, toHex } from '#base';
import type { BlobId, PackId } from '../format/ids.ts';
import { randomMasterKey } from '../format/sealed.ts';
import { type MemoryStorage, memoryStorage } from '../format/testing/memory-storage.ts';
import { UnpackedFiles } from '../unpacked.ts';
import { decodeIndex, encodeIndex, type IndexFile, type IndexPack } from './index-file.ts';
import { loadIndex } from './load-index.ts';
import { type PackFate, rewriteIndex } from './rewrite-index.ts';

const random = seededRandom(8);
const key = randomMasterKey(random);
const newId = () => toHex(random.fill(new Uint8Array(32)));
let storage: MemoryStorage;
let unpacked: UnpackedFiles;

beforeEach(() => {
  storage = memoryStorage();
  unpacked = new UnpackedFiles({ storage, key, random, version: 2 });
});

function newPack(more: Partial<IndexPack> = {}): IndexPack {
  const blobs = [0, 100].map((offset) => ({
    id: newId() as BlobId,
    type: 'data' as const,
    offset,
    length: 100,
    uncompressedLength: offset,
  }));
  return { id: newId() as PackId, blobs, ...more };
}

const save = (file: IndexFile) => unpacked.save('index', encodeIndex(file));

async function rewrite(fates: Record<PackId, PackFate>, addedMarks: IndexPack[] = []) {
  const { index } = await loadIndex(unpacked);
  const fateOf = (pack: number): PackFate => fates[index.packs.idOf(pack)] ?? 'live';
  const rewritten = await rewriteIndex({ unpacked, index, fateOf, addedMarks });
  for (const id of rewritten.obsolete) await unpacked.delete('index', id);
  return rewritten;
}

/** All index files together. */
async function stored(): Promise<Required<IndexFile>> {
  const all: { packs: IndexPack[]; packsToDelete: IndexPack[] } = { packs: [], packsToDelete: [] };
  for await (const { id } of unpacked.list('index')) {
    const file = decodeIndex(await unpacked.load('index', id));
    all.packs.push(...file.packs);
    all.packsToDelete.push(...file.packsToDelete);
  }
  return all;
}

test('marks, drops and recovers packs, and leaves files alone that say the same', async () => {
  const [kept, marked, dropped, waiting, recovered, alone, orphan] = Array.from({ length: 7 }, () =>
    newPack(),
  );
  const file = await save({
    packs: [kept!, marked!, dropped!],
    packsToDelete: [
      { ...waiting!, timeMs: 500 },
      { ...recovered!, timeMs: 600 },
    ],
  });
  await save({ packs: [alone!] });
  const { obsolete, saved } = await rewrite(
    {
      [marked!.id]: { markedAtMs: 1000 },
      [dropped!.id]: 'dropped',
      [waiting!.id]: { markedAtMs: 500 },
    },
    [{ id: orphan!.id, blobs: [], timeMs: 1000 }],
  );
  assert.deepEqual(obsolete, [file]);
  assert.equal(saved.length, 1);
  assert.deepEqual(decodeIndex(await unpacked.load('index', saved[0]!)), {
    packs: [kept, recovered],
    packsToDelete: [
      { ...marked, timeMs: 1000 },
      { ...waiting, timeMs: 500 },
      { id: orphan!.id, blobs: [], timeMs: 1000 },
    ],
  });
});

test('a pack that is listed and marked as well loses its mark, which may lack the blobs', async () => {
  const pack = newPack();
  await save({ packs: [], packsToDelete: [{ id: pack.id, blobs: [], timeMs: 500 }] });
  await save({ packs: [pack] });
  await rewrite({});
  assert.deepEqual(await stored(), { packs: [pack], packsToDelete: [] });
  assert.deepEqual(await rewrite({}), { saved: [], obsolete: [] });
});

test('a pack in two files is kept once when they say the same, and twice when not', async () => {
  const [same, other] = [newPack(), newPack()];
  const half = { ...other, blobs: other.blobs.slice(0, 1) };
  await save({ packs: [same, other] });
  await save({ packs: [half, same] });
  await rewrite({});
  const { packs } = await stored();
  assert.deepEqual(new Set(packs), new Set([same, other, half]));
  assert.equal(packs.length, 3);
});

test('puts many small files together', async () => {
  const packs = Array.from({ length: 10 }, () => newPack());
  for (const pack of packs) await save({ packs: [pack] });
  assert.equal((await rewrite({})).saved.length, 1);
  assert.deepEqual(new Set((await stored()).packs), new Set(packs));
});

test('leaves packs as they are that appeared after the index was read', async () => {
  const [known, late] = [newPack(), newPack()];
  await save({ packs: [known] });
  const { index } = await loadIndex(unpacked);
  await save({ packs: [late] });
  const { obsolete } = await rewriteIndex({ unpacked, index, fateOf: () => 'dropped' });
  for (const id of obsolete) await unpacked.delete('index', id);
  assert.deepEqual(await stored(), { packs: [late], packsToDelete: [] });
});

test('changes nothing when a file cannot be read', async () => {
  const pack = newPack();
  await save({ packs: [pack] });
  const { index } = await loadIndex(unpacked);
  const broken = await save({ packs: [newPack()] });
  storage.files.set(`index/${broken}`, Buffer.from('broken'));
  const before = new Map(storage.files);
  await assert.rejects(rewriteIndex({ unpacked, index, fateOf: () => 'live' }), {
    code: 'repository.damaged',
  });
  assert.deepEqual(storage.files, before);
});
