import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import { seededRandom } from '#base';
import { open, seal } from '../format/sealed.ts';
import { type BlobCodec, codecScratchBytes, sealedSizeMax } from './blob-codec.ts';
import { createBlobCodec } from './create-codec.ts';
import { PortableCodec } from './portable-codec.ts';

const random = seededRandom(7);
const key = {
  encrypt: random.fill(new Uint8Array(32)),
  macK: random.fill(new Uint8Array(16)),
  macR: random.fill(new Uint8Array(16)),
};
const plainAt = codecScratchBytes;
const sealedAt = plainAt + 9 * 1024 * 1024;
const outAt = sealedAt + 10 * 1024 * 1024;
const idAt = outAt + 9 * 1024 * 1024;
const memory = new SharedArrayBuffer(idAt + 64);
const bytes = new Uint8Array(memory);
const options = { memory, scratch: 0, key, random, compression: 'auto' } as const;

const sizes = [1, 15, 16, 17, 4095, 4096, 131_071, 131_072, 131_073, 512 * 1024, 1_500_001, 8 * 1024 * 1024];
const textOf = (size: number): Uint8Array =>
  Buffer.from('{"name":"user","email":"a@example.org"},'.repeat(size / 39 + 1)).subarray(0, size);
const noiseOf = (size: number): Uint8Array => random.fill(new Uint8Array(size));

function codecs(): BlobCodec[] {
  const list = [createBlobCodec(options), new PortableCodec(options)];
  assert.equal(list[0]!.kind, Number(process.versions.node.split('.')[0]) >= 26 ? 'native' : 'portable');
  return list;
}

for (const writer of codecs()) {
  for (const reader of codecs()) {
    test(`what the ${writer.kind} codec seals, the ${reader.kind} codec opens and verifies`, () => {
      for (const size of sizes) {
        for (const plain of [textOf(size), noiseOf(size)]) {
          bytes.set(plain, plainAt);
          writer.hash(plainAt, size, idAt);
          assert.deepEqual(Buffer.from(bytes.slice(idAt, idAt + 32)), hash('sha256', plain, 'buffer'));
          const sealed = writer.seal(plainAt, size, sealedAt, 'if-smaller');
          assert.ok(sealed.length <= sealedSizeMax(size));
          assert.ok(reader.verify(sealedAt, sealed.length, sealed.uncompressedLength, idAt));
          const opened = reader.open(sealedAt, sealed.length, sealed.uncompressedLength, outAt, size);
          assert.equal(opened, size);
          assert.equal(Buffer.compare(bytes.slice(outAt, outAt + size), plain), 0);
        }
      }
    });
  }

  test(`the ${writer.kind} codec and the unit format agree`, () => {
    const plain = noiseOf(100_000);
    bytes.set(plain, plainAt);
    const sealed = writer.seal(plainAt, plain.length, sealedAt, 'never');
    assert.equal(sealed.uncompressedLength, 0);
    assert.equal(Buffer.compare(open(key, bytes.slice(sealedAt, sealedAt + sealed.length)), plain), 0);
    const unit = seal(key, plain, random);
    bytes.set(unit, sealedAt);
    assert.equal(writer.open(sealedAt, unit.length, 0, outAt, plain.length), plain.length);
  });

  test(`the ${writer.kind} codec finds every flipped byte and every wrong size`, () => {
    const plain = textOf(3000);
    bytes.set(plain, plainAt);
    writer.hash(plainAt, plain.length, idAt);
    const sealed = writer.seal(plainAt, plain.length, sealedAt, 'always');
    const good = bytes.slice(sealedAt, sealedAt + sealed.length);
    for (let i = 0; i < good.length; i++) {
      bytes.set(good, sealedAt);
      bytes[sealedAt + i]! ^= 1 << (i % 8);
      assert.equal(
        writer.verify(sealedAt, sealed.length, sealed.uncompressedLength, idAt),
        false,
        `byte ${i}`,
      );
      assert.equal(writer.open(sealedAt, sealed.length, sealed.uncompressedLength, outAt, plain.length), -1);
    }
    bytes.set(good, sealedAt);
    for (const uncompressedLength of [0, 2999, 3001]) {
      bytes.set(good, sealedAt);
      assert.equal(writer.verify(sealedAt, sealed.length, uncompressedLength, idAt), false);
    }
    bytes.set(good, sealedAt);
    assert.equal(writer.open(sealedAt, sealed.length, 3000, outAt, 2999), -1, 'more than fits');
    for (const length of [0, 16, 31, 32, sealed.length - 1]) {
      bytes.set(good, sealedAt);
      assert.equal(writer.verify(sealedAt, length, sealed.uncompressedLength, idAt), false);
    }
  });

  test(`the ${writer.kind} codec hashes a pack in parts`, () => {
    const plain = noiseOf(70_000);
    bytes.set(plain, plainAt);
    const [one, two] = [writer.createPackHash(), writer.createPackHash()];
    one.update(plainAt, 1000);
    two.update(plainAt, 70_000);
    one.update(plainAt + 1000, 69_000);
    assert.equal(one.digest(), hash('sha256', plain));
    assert.equal(two.digest(), hash('sha256', plain));
    one.update(plainAt, 3);
    assert.equal(one.digest(), hash('sha256', plain.subarray(0, 3)), 'a digest starts anew');
  });
}
