import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BlobId, idOf, type PackId } from '../format/ids.ts';
import { idWordsOfHex } from '../index/blob-table.ts';
import { RepositoryIndex } from '../index/repository-index.ts';
import { planRanges } from '../read/pack-ranges.ts';
import type { TreeNode } from '../snapshot/tree.ts';
import { planRestore } from './restore-plan.ts';

const kibi = 1024;
const idFor = (name: string) => idOf<BlobId>(Buffer.from(name));
const file = (...blobs: string[]) => ({ node: { content: blobs.map(idFor) } as TreeNode });

/** An index of packs: name → blobs with offset and sealed length. */
function indexOf(packs: Record<string, [name: string, offset: number, length: number][]>): RepositoryIndex {
  const index = new RepositoryIndex(0);
  for (const [name, blobs] of Object.entries(packs)) {
    const pack = index.addPack(idOf<PackId>(Buffer.from(name)));
    for (const [blob, offset, length] of blobs)
      index.addBlob('data', idWordsOfHex(idFor(blob)), pack, offset, length, 0);
  }
  return index;
}

test('each blob is wanted once, for every place in every file that it goes to', () => {
  const index = indexOf({
    p: [
      ['a', 0, 132],
      ['b', 132, 232],
    ],
  });
  const { blobs, missing } = planRestore(index, [file('a', 'b', 'a'), file(), file('b')]);
  const wanted = Object.fromEntries([...blobs].map(({ id, targets }) => [id, targets]));
  assert.deepEqual(wanted, { [idFor('a')]: [0, 0, 0, 300], [idFor('b')]: [0, 100, 2, 0] });
  assert.equal(missing.size, 0);
});

test('a file with a part that no index knows is missing, the others are planned', () => {
  const index = indexOf({ p: [['a', 0, 132]] });
  const { blobs, missing } = planRestore(index, [file('a', 'nowhere', 'a'), file('a')]);
  assert.deepEqual([...missing.keys()], [0]);
  assert.equal(missing.get(0)!.code, 'repository.incomplete');
  assert.deepEqual(
    [...blobs].map(({ targets }) => targets),
    [[0, 0, 1, 0]],
  );
});

function rangesOf(index: RepositoryIndex, ...blobs: string[]) {
  const planned = planRanges(planRestore(index, [file(...blobs)]).blobs);
  const ranges = planned.ranges.map(({ pack, offset, length, blobs: list }) => [
    pack,
    offset,
    length,
    list.length,
  ]);
  return { ranges, huge: planned.huge.map(({ id }) => id) };
}

test('neighbours of a pack come by one request, in order of their offsets', () => {
  const index = indexOf({
    p: [
      ['a', 0, 100],
      ['b', 100, 100],
      ['c', 200 + 200 * kibi, 100],
    ],
    q: [['d', 50, 60]],
  });
  assert.deepEqual(rangesOf(index, 'c', 'd', 'a', 'b').ranges, [
    [0, 0, 300 + 200 * kibi, 3],
    [1, 50, 60, 1],
  ]);
});

test('a wide gap, or a long request, begins another', () => {
  const far = indexOf({
    p: [
      ['a', 0, 100],
      ['b', 101 + 256 * kibi, 100],
    ],
  });
  assert.equal(rangesOf(far, 'a', 'b').ranges.length, 2);
  const long = indexOf({
    p: [
      ['a', 0, 3000 * kibi],
      ['b', 3000 * kibi, 2000 * kibi],
      ['c', 5000 * kibi, 10],
    ],
  });
  assert.deepEqual(rangesOf(long, 'a', 'b', 'c').ranges, [
    [0, 0, 3000 * kibi, 1],
    [0, 3000 * kibi, 2000 * kibi + 10, 2],
  ]);
});

test('a blob that fits no slot is read by itself', () => {
  const index = indexOf({
    p: [
      ['a', 0, 9000 * kibi],
      ['b', 9000 * kibi, 100],
    ],
  });
  assert.deepEqual(rangesOf(index, 'a', 'b'), { ranges: [[0, 9000 * kibi, 100, 1]], huge: [idFor('a')] });
});
