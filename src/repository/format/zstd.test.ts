import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, createZstdCompress, zstdCompressSync } from 'node:zlib';
import { collect, seededRandom } from '#base';
import { compress, decompress } from './zstd.ts';

const random = seededRandom(4);
const isDamaged = { code: 'repository.damaged' };
const textOf = (size: number): Uint8Array => Buffer.from('holdfast '.repeat(size / 9 + 1)).subarray(0, size);

/** A frame of a writer that does not know the size when it begins. */
async function streamed(plain: Uint8Array): Promise<Uint8Array> {
  const stream = createZstdCompress();
  stream.write(plain.subarray(0, plain.length >> 1));
  stream.end(plain.subarray(plain.length >> 1));
  return collect(stream);
}

test('gives back what it compressed, of every size', () => {
  for (const size of [0, 1, 255, 256, 65_535, 65_536, 65_792, 300_000, 2_000_000]) {
    for (const plain of [textOf(size), random.fill(new Uint8Array(size))]) {
      const frame = compress(plain);
      assert.ok(Buffer.from(decompress(frame, size)).equals(plain), `${size} bytes`);
    }
  }
});

test('writes frames as restic does: with content size, without checksum, window of 512 KiB at most', () => {
  const descriptor = compress(textOf(2_000_000))[4]!;
  assert.equal(descriptor & 4, 0, 'no checksum');
  assert.notEqual(descriptor >> 6, 0, 'content size');
  const window = compress(random.fill(new Uint8Array(2_000_000)))[5]!;
  assert.ok(10 + (window >> 3) <= 19, `window of 2^${10 + (window >> 3)}`);
});

test('reads frames without content size, with a checksum, and of larger windows', async () => {
  for (const size of [0, 1, 1000, 1_000_000]) {
    const frame = await streamed(textOf(size));
    assert.ok(Buffer.from(decompress(frame, size)).equals(textOf(size)), `${size} bytes streamed`);
  }
  const plain = textOf(5_000_000);
  const params = { [constants.ZSTD_c_checksumFlag]: 1, [constants.ZSTD_c_windowLog]: 24 };
  assert.ok(Buffer.from(decompress(zstdCompressSync(plain, { params }), plain.length)).equals(plain));
});

test('refuses a bomb: more output than allowed, whatever the frame says', async () => {
  const plain = new Uint8Array(50_000_000);
  for (const frame of [compress(plain), await streamed(plain)]) {
    assert.ok(frame.length < 10_000);
    assert.throws(() => decompress(frame, 1_000_000), isDamaged);
    assert.throws(() => decompress(frame, plain.length - 1), isDamaged);
  }
  assert.throws(() => decompress(compress(textOf(1)), 0), isDamaged);
});

test('refuses a frame that lies about its size', () => {
  const frame = new Uint8Array(compress(textOf(1000)));
  for (const size of [0, 5, 999 - 256, 0xffff]) {
    new DataView(frame.buffer).setUint16(5, size, true);
    assert.throws(() => decompress(frame, 1_000_000), isDamaged, `${size}`);
  }
});

test('refuses what is no frame, cut, or empty', () => {
  const frame = compress(random.fill(new Uint8Array(10_000)));
  for (const length of [0, 1, 4, 5, 13, 100, frame.length - 1]) {
    assert.throws(() => decompress(frame.subarray(0, length), 20_000), isDamaged, `${length} bytes`);
  }
  assert.throws(() => decompress(Buffer.from('{"packs":[]}'), 1000), isDamaged);
});
