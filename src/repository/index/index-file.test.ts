import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom, toHex } from '#base';
import type { BlobId, PackId } from '../format/ids.ts';
import { vector } from '../format/testing/memory-storage.ts';
import { decodeIndex, encodeIndex, type IndexFile, type IndexPack } from './index-file.ts';
import { scanIndex } from './index-file-scan.ts';

const random = seededRandom(10);
const newId = () => toHex(random.fill(new Uint8Array(32)));
const isDamaged = { code: 'repository.damaged' };

/** What the scanner tells of a file, as objects. */
function scanned(json: Uint8Array): Required<IndexFile> {
  const packId = new Uint8Array(32);
  const blobId = new Uint8Array(32);
  const file = { packs: [] as IndexPack[], packsToDelete: [] as IndexPack[] };
  let blobs: IndexPack['blobs'][number][] = [];
  let list = file.packs;
  scanIndex(json, {
    packId,
    blobId,
    beginPack: (isMarked) => {
      list = isMarked ? file.packsToDelete : file.packs;
      blobs = [];
    },
    blob: (type, offset, length, uncompressedLength) =>
      blobs.push({ id: toHex(blobId) as BlobId, type, offset, length, uncompressedLength }),
    endPack: ({ timeMs, sizeBytes }) =>
      list.push({
        id: toHex(packId) as PackId,
        blobs,
        ...(timeMs === undefined ? {} : { timeMs }),
        ...(sizeBytes === undefined ? {} : { sizeBytes }),
      }),
  });
  return file;
}

function somePack(blobCount: number, more: Partial<IndexPack> = {}): IndexPack {
  let offset = 0;
  const blobs = Array.from({ length: blobCount }, (_, i) => {
    const length = 33 + random.below(100_000);
    const blob = {
      id: newId() as BlobId,
      type: i % 3 ? 'data' : 'tree',
      offset,
      length,
      uncompressedLength: i % 2 ? length * 2 : 0,
    } as const;
    offset += length;
    return blob;
  });
  return { id: newId() as PackId, blobs, ...more };
}

for (const version of ['0.14', '0.19']) {
  test(`reads the index of restic ${version}, scanned and parsed alike, and writes the same bytes`, () => {
    const json = vector(`index/restic-${version}.json`);
    const index = decodeIndex(json);
    assert.equal(index.packs.length, 2);
    assert.deepEqual(scanned(json), index);
    assert.equal(
      Buffer.from(encodeIndex(index)).toString().trimEnd(),
      Buffer.from(json).toString().trimEnd(),
    );
  });
}

test('gives back what it wrote: empty files, empty packs, marks, times, sizes, the largest places', () => {
  const largest = {
    id: newId() as BlobId,
    type: 'data',
    offset: 0xffff_ffff,
    length: 0xffff_ffff,
    uncompressedLength: 0xffff_ffff,
  } as const;
  const files: Required<IndexFile>[] = [
    { packs: [], packsToDelete: [] },
    { packs: [somePack(0), somePack(1), somePack(50)], packsToDelete: [] },
    {
      packs: [somePack(2, { timeMs: 1_700_000_000_123 }), somePack(1, { sizeBytes: 12 })],
      packsToDelete: [],
    },
    { packs: [], packsToDelete: [somePack(3, { timeMs: 0, sizeBytes: 7 }), somePack(0)] },
    { packs: [{ id: newId() as PackId, blobs: [largest] }], packsToDelete: [] },
  ];
  for (const file of files) {
    const json = encodeIndex(file);
    assert.deepEqual(decodeIndex(json), file);
    assert.deepEqual(scanned(json), file);
  }
});

test('reads layouts that nobody writes to the same result', () => {
  const file = { packs: [somePack(3, { timeMs: 5000 }), somePack(0)], packsToDelete: [somePack(1)] };
  const json = Buffer.from(encodeIndex(file)).toString();
  const reversed = (value: unknown): unknown =>
    value === null || typeof value !== 'object' || Array.isArray(value)
      ? Array.isArray(value)
        ? value.map(reversed)
        : value
      : Object.fromEntries(
          Object.entries(value)
            .toReversed()
            .map(([name, one]) => [name, reversed(one)]),
        );
  const layouts = [
    JSON.stringify(JSON.parse(json), undefined, 2),
    JSON.stringify(reversed(JSON.parse(json))),
    json.replace('{"packs"', '{"supersedes":null,"packs"'),
    json.replace(/\}\n$/, ',"unknown":{"packs":[1]}}\n'),
    json.replaceAll('"offset":', '"offset": '),
    json.replaceAll(/"length":(\d+)/g, '"length":$1,"new":[{}]'),
    `${json}  \n\t`,
    json.replaceAll(
      /"id":"(..)/g,
      (_, two: string) => `"id":"\\u${two.charCodeAt(0).toString(16).padStart(4, '0')}${two[1]}`,
    ),
  ];
  for (const layout of layouts) {
    assert.deepEqual(decodeIndex(Buffer.from(layout)), file);
    assert.deepEqual(scanned(Buffer.from(layout)), file, layout.slice(0, 200));
  }
});

test('goes on behind a pack that the scanner does not know, without telling anything twice', () => {
  const packs = [somePack(2), somePack(2), somePack(2)];
  const json = Buffer.from(encodeIndex({ packs })).toString();
  for (let at = json.indexOf('"offset"'); at >= 0; at = json.indexOf('"offset"', at + 9)) {
    const odd = `${json.slice(0, at)} ${json.slice(at)}`;
    assert.deepEqual(scanned(Buffer.from(odd)).packs, packs);
  }
});

test('reads what Go writes for empty lists, and the bare list of the first restic', () => {
  const none = { packs: [], packsToDelete: [] };
  for (const json of ['{"packs":null}', '{}', '[]', '{"packs":[],"packs_to_delete":null}']) {
    assert.deepEqual(scanned(Buffer.from(json)), none);
  }
  const id = newId();
  assert.deepEqual(scanned(Buffer.from(`[{"id":"${id}","blobs":null}]`)).packs, [{ id, blobs: [] }]);
});

test('refuses what is no index, by scanning as by parsing', () => {
  const blob = { id: newId(), type: 'data', offset: 0, length: 40 };
  const withBlob = (change: object) =>
    JSON.stringify({ packs: [{ id: newId(), blobs: [{ ...blob, ...change }] }] });
  const bad = [
    '',
    'null',
    '"packs"',
    '{"packs":7}',
    '{"packs":[7]}',
    '{"packs":[{"id":"abc","blobs":[]}]}',
    `{"packs":[{"id":"${newId().toUpperCase().replace(/\d/g, 'A')}","blobs":[]}]}`,
    '{"packs":[]} trailing',
    '{"packs":[]',
    withBlob({ type: 'other' }),
    withBlob({ offset: -1 }),
    withBlob({ offset: 1.5 }),
    withBlob({ length: 2 ** 32 }),
    withBlob({ length: '40' }),
    withBlob({ id: undefined }),
    withBlob({ uncompressed_length: 2 ** 33 }),
    withBlob({}).replace('"offset":0', '"offset":00'),
  ];
  for (const json of bad) {
    assert.throws(() => decodeIndex(Buffer.from(json)), isDamaged, json);
    assert.throws(() => scanned(Buffer.from(json)), isDamaged, json);
  }
  const whole = encodeIndex({ packs: [somePack(2)], packsToDelete: [somePack(1)] });
  for (let length = 0; length < whole.length - 1; length += 3) {
    assert.throws(() => scanned(whole.subarray(0, length)), isDamaged, `${length} bytes`);
  }
});
