import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Content } from '../storage.ts';
import { cut } from './parts.ts';

const MiB = 1024 * 1024;

async function sizesOf(content: Content): Promise<number[]> {
  const { first, rest } = await cut(content, undefined);
  const sizes = [first.length];
  for await (const part of rest) sizes.push(part.length);
  return sizes;
}

const piecesOfSize = (pieceBytes: number, count: number) => ({
  async *open() {
    // The same memory each time, as a producer may do.
    const piece = new Uint8Array(pieceBytes);
    for (let i = 0; i < count; i++) yield piece.fill(i);
  },
});

test('content at hand is one part up to 64 MiB, then equal ones', async () => {
  const piece = new Uint8Array(10 * MiB);
  assert.deepEqual(await sizesOf([]), [0]);
  assert.deepEqual(await sizesOf(piece), [10 * MiB]);
  assert.deepEqual(await sizesOf([piece, piece]), [20 * MiB]);
  assert.deepEqual(await sizesOf(Array.from({ length: 7 }, () => piece)), [
    ...Array(8).fill(8 * MiB),
    6 * MiB,
  ]);
});

test('a stream is cut into equal parts, wherever its pieces end', async () => {
  assert.deepEqual(await sizesOf(piecesOfSize(0, 3)), [0]);
  assert.deepEqual(await sizesOf(piecesOfSize(8 * MiB, 1)), [8 * MiB]);
  assert.deepEqual(await sizesOf(piecesOfSize(3 * MiB, 6)), [8 * MiB, 8 * MiB, 2 * MiB]);
  assert.deepEqual(await sizesOf(piecesOfSize(20 * MiB, 1)), [8 * MiB, 8 * MiB, 4 * MiB]);
});

test('parts keep their bytes while the producer uses its memory again', async () => {
  const { first, rest } = await cut(piecesOfSize(3 * MiB, 4), undefined);
  const { value: second } = await rest.next();
  assert.deepEqual(
    [0, 3, 6].map((at) => first[at * MiB]),
    [0, 1, 2],
  );
  assert.deepEqual(
    [0, 1].map((at) => second![at * MiB]),
    [2, 3],
  );
});

test('a stream that is announced as huge has parts so large that a thousand suffice', async () => {
  const sizeBytes = 100 * 1024 * MiB;
  const { first, rest } = await cut({ ...piecesOfSize(MiB, 200), sizeBytes }, undefined);
  assert.equal(first.length, 103 * MiB);
  await assert.rejects(rest.next(), { code: 'storage.interrupted' });
});
