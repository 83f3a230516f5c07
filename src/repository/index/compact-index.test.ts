import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BlobId, idOf, type PackId } from '../format/ids.ts';
import { vector } from '../format/testing/memory-storage.ts';
import { CompactIndex } from './compact-index.ts';
import { decodeIndex, encodeIndex, type IndexBlob, type IndexFile } from './index-file.ts';

/** What a compact index says, in the shape of the file. */
function unfolded(file: CompactIndex): Required<IndexFile> {
  const packs = [...file.packs()].map(({ id, isMarked, timeMs, blobs }) => {
    assert.equal(blobs.count, blobs.toArray().length);
    return { isMarked, pack: { id, blobs: blobs.toArray(), ...(timeMs === undefined ? {} : { timeMs }) } };
  });
  const only = (marked: boolean) => packs.filter((it) => it.isMarked === marked).map(({ pack }) => pack);
  return { packs: only(false), packsToDelete: only(true) };
}

const idFor = <Id extends BlobId | PackId>(name: string): Id => idOf(Buffer.from(name)) as Id;
const largest: IndexBlob = {
  id: idFor('largest'),
  type: 'tree',
  offset: 0xffff_ffff,
  length: 0xffff_ffff,
  uncompressedLength: 0xffff_ffff,
};
const small: IndexBlob = { id: idFor('small'), type: 'data', offset: 0, length: 40, uncompressedLength: 0 };

const files: Record<string, IndexFile> = {
  'the index of restic 0.14': decodeIndex(vector('index/restic-0.14.json')),
  'an empty index': { packs: [] },
  'empty packs': { packs: [{ id: idFor('p1'), blobs: [] }], packsToDelete: [{ id: idFor('p2'), blobs: [] }] },
  'marks with their times, and the largest places': {
    packs: [
      { id: idFor('p1'), blobs: [small, largest] },
      { id: idFor('p2'), blobs: [small], timeMs: 1_700_000_000_123 },
    ],
    packsToDelete: [{ id: idFor('p3'), blobs: [largest], timeMs: 0 }],
  },
};

for (const [name, file] of Object.entries(files)) {
  test(`says the same as the file: ${name}`, () => {
    const compact = CompactIndex.ofJson(encodeIndex(file));
    const wanted = { packsToDelete: [], ...file };
    assert.deepEqual(unfolded(compact), wanted);
    const all = [...wanted.packs, ...wanted.packsToDelete];
    assert.equal(
      compact.blobCount,
      all.reduce((sum, pack) => sum + pack.blobs.length, 0),
    );
    // Wherever the bytes come to lie.
    const shifted = new Uint8Array(compact.bytes.length + 3);
    shifted.set(compact.bytes, 3);
    assert.deepEqual(unfolded(new CompactIndex(shifted.subarray(3))), wanted);
  });
}

test('says the same of a layout that nobody writes', () => {
  const json = encodeIndex({ packs: [{ id: idFor('p1'), blobs: [small, largest] }] });
  const spaced = JSON.stringify(JSON.parse(Buffer.from(json).toString()), undefined, 1);
  const wanted = unfolded(CompactIndex.ofJson(json));
  assert.deepEqual(unfolded(CompactIndex.ofJson(Buffer.from(spaced))), wanted);
});

test('refuses what is no index', () => {
  assert.throws(() => CompactIndex.ofJson(Buffer.from('{"packs":[{"id":')), { code: 'repository.damaged' });
});
