import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '#base';
import { Chunker, chunkerDataStart, chunkSizeMax, chunkSizeMin } from './chunker.ts';
import { chunkerTables } from './polynomial.ts';

const polynomial = 0x3da3358b4dc173n;
const memory = new WebAssembly.Memory({ initial: 700, maximum: 700, shared: true });
const bytes = new Uint8Array(memory.buffer);
const chunker = new Chunker(memory, polynomial);
const tables = chunkerTables(polynomial);

/** The definition, byte by byte, in big integers: slow and plain. */
function firstCut(data: Uint8Array): number {
  let digest = 0n;
  const window = new Uint8Array(64);
  for (let i = Math.max(0, chunkSizeMin - 64); i < Math.min(data.length, chunkSizeMax); i++) {
    digest ^= tables[window[i % 64]!]!;
    window[i % 64] = data[i]!;
    digest = ((digest << 8n) | BigInt(data[i]!)) ^ tables[256 + Number(digest >> 45n)]!;
    if (i + 1 >= chunkSizeMin && (digest & 0xfffffn) === 0n) return i + 1;
  }
  return data.length >= chunkSizeMax ? chunkSizeMax : 0;
}

function cutsOf(data: Uint8Array, pieceBytes: number): number[] {
  const cuts: number[] = [];
  const end = chunkerDataStart + data.length;
  bytes.set(data, chunkerDataStart);
  let start = chunkerDataStart;
  for (let seen = start; seen < end; ) {
    const scanned = seen;
    seen = Math.min(end, seen + pieceBytes);
    let from = scanned;
    for (let length = chunker.cut(start, seen, from); length > 0; length = chunker.cut(start, seen, from)) {
      cuts.push(length);
      start += length;
      from = start;
    }
  }
  return cuts;
}

test('cuts where the definition cuts', () => {
  const data = seededRandom(11).fill(new Uint8Array(12 * 1024 * 1024));
  const cuts = cutsOf(data, data.length);
  assert.ok(cuts.length >= 3);
  let start = 0;
  for (const length of cuts) {
    assert.equal(length, firstCut(data.subarray(start)));
    start += length;
  }
  assert.equal(firstCut(data.subarray(start)), 0);
});

test('cuts the same whatever the sizes of the pieces', () => {
  const data = seededRandom(12).fill(new Uint8Array(10 * 1024 * 1024));
  const whole = cutsOf(data, data.length);
  for (const pieceBytes of [4097, 65_536, 262_145, 1_000_003])
    assert.deepEqual(cutsOf(data, pieceBytes), whole);
});

test('ends a chunk at the largest size when nothing matches', () => {
  const data = new Uint8Array(17 * 1024 * 1024).fill(1);
  const first = firstCut(data);
  assert.deepEqual(cutsOf(data, data.length), new Array(Math.floor(data.length / first)).fill(first));
});
