import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '#base';
import { type BlobId, idOf, type PackId } from '../format/ids.ts';
import { nameOf } from '../format/names.ts';
import { open, randomMasterKey } from '../format/sealed.ts';
import { vectorStorage } from '../format/testing/memory-storage.ts';
import { decompress } from '../format/zstd.ts';
import { openWithPassword } from '../keys/keys.ts';
import { packEntrySizeMax, packTrailerBytes, readPackHeader, writePackEntry } from './pack-header.ts';
import { buildSinglePack } from './single-pack.ts';

const random = seededRandom(11);

function someEntries(count: number) {
  let offset = 0;
  return Array.from({ length: count }, (_, i) => {
    const length = 33 + random.below(1_000_000);
    const entry = {
      type: i % 2 ? ('tree' as const) : ('data' as const),
      offset,
      length,
      uncompressedLength: i % 3 ? length + 100 : 0,
      id: random.fill(new Uint8Array(32)),
    };
    offset += length;
    return entry;
  });
}

function headerOf(entries: ReturnType<typeof someEntries>): Uint8Array {
  const bytes = new Uint8Array(entries.length * packEntrySizeMax);
  let at = 0;
  for (const entry of entries) at += writePackEntry(new DataView(bytes.buffer), at, entry, entry.id);
  return bytes.subarray(0, at);
}

test('gives back the entries that it wrote, each behind the one before', () => {
  for (const count of [0, 1, 2, 100]) {
    const entries = someEntries(count);
    assert.deepEqual(readPackHeader(headerOf(entries)), entries);
  }
});

test('lays an entry out as the format says', () => {
  const [data, tree] = [0, 1, 2, 3].map((type) => {
    const view = new DataView(new ArrayBuffer(packEntrySizeMax));
    const uncompressedLength = type >= 2 ? 0x01020304 : 0;
    const entry = {
      type: type % 2 ? ('tree' as const) : ('data' as const),
      length: 0x0a0b0c0d,
      uncompressedLength,
    };
    const size = writePackEntry(view, 0, entry, new Uint8Array(32).fill(7));
    assert.equal(size, type >= 2 ? 41 : 37);
    assert.equal(view.getUint8(0), type);
    const lengths = type >= 2 ? [0x0d, 0x0c, 0x0b, 0x0a, 4, 3, 2, 1] : [0x0d, 0x0c, 0x0b, 0x0a];
    assert.deepEqual([...new Uint8Array(view.buffer, 1, lengths.length)], lengths);
    return size;
  });
  assert.equal(data, tree);
});

test('refuses a header that is cut, longer, or of unknown types', () => {
  const header = headerOf(someEntries(3));
  const whole = new Set([0, 37, 78, header.length]);
  for (let length = 0; length < header.length; length++) {
    const entries = readPackHeader(header.subarray(0, length));
    assert.equal(entries === undefined, !whole.has(length), `${length} bytes`);
  }
  assert.equal(readPackHeader(Buffer.concat([header, Buffer.of(0)])), undefined);
  for (const type of [4, 5, 127, 255]) {
    const changed = new Uint8Array(header);
    changed[0] = type;
    assert.equal(readPackHeader(changed), undefined, `type ${type}`);
  }
});

test('reads the packs of stock restic, and every blob in them opens to its id', async () => {
  const storage = vectorStorage('restic-0.14/repository');
  const { key } = await openWithPassword(storage, 'holdfast');
  let blobs = 0;
  for (const [name, bytes] of storage.files) {
    if (!name.startsWith('data/')) continue;
    const headerLength = Buffer.from(bytes).readUInt32LE(bytes.length - packTrailerBytes);
    const headerAt = bytes.length - packTrailerBytes - headerLength;
    const entries = readPackHeader(open(key, bytes.subarray(headerAt, headerAt + headerLength)))!;
    for (const { offset, length, uncompressedLength, id } of entries) {
      const plain = open(key, bytes.subarray(offset, offset + length));
      const content = uncompressedLength > 0 ? decompress(plain, uncompressedLength) : plain;
      assert.equal(idOf(content), Buffer.from(id).toString('hex'));
      blobs++;
    }
  }
  assert.equal(blobs, 5);
});

test('a pack of one blob is whole, and refuses a blob under another id', () => {
  const key = randomMasterKey(random);
  const plain = Buffer.from('{"nodes":[]}\n'.repeat(1000));
  const pack = buildSinglePack(key, 'tree', idOf<BlobId>(plain), plain, random);
  assert.equal(idOf<PackId>(pack.bytes), pack.id);
  assert.equal(nameOf('data', pack.id), `data/${pack.id.slice(0, 2)}/${pack.id}`);
  const headerLength = Buffer.from(pack.bytes).readUInt32LE(pack.bytes.length - packTrailerBytes);
  const header = pack.bytes.subarray(-packTrailerBytes - headerLength, -packTrailerBytes);
  const [entry, ...others] = readPackHeader(open(key, header))!;
  assert.equal(others.length, 0);
  assert.equal(Buffer.from(entry!.id).toString('hex'), idOf(plain));
  assert.equal(entry!.uncompressedLength, plain.length);
  const opened = decompress(open(key, pack.bytes.subarray(0, entry!.length)), plain.length);
  assert.ok(Buffer.from(opened).equals(plain));
  const wrong = idOf<BlobId>(Buffer.from('other'));
  assert.throws(() => buildSinglePack(key, 'tree', wrong, plain, random), { code: 'repository.internal' });
});
