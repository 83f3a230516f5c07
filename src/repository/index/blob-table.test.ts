import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { seededRandom } from '#base';
import { BlobTable, hexOfWords, idWords, idWordsOfHex } from './blob-table.ts';

const random = seededRandom(3);
const newId = (): Int32Array => idWords(random.fill(new Uint8Array(32)));

test('finds what was added, by type, and nothing else', () => {
  const table = BlobTable.create(1000);
  const ids = Array.from({ length: 1000 }, newId);
  ids.forEach((id, i) => {
    assert.ok(table.add(i % 2 ? 'tree' : 'data', id, i, i * 10, 4_000_000_000, i));
  });
  ids.forEach((id, i) => {
    const type = i % 2 ? 'tree' : 'data';
    const expected = { pack: i, offset: i * 10, length: 4_000_000_000, uncompressedLength: i };
    assert.deepEqual(table.get(type, id), expected);
    assert.equal(table.has(i % 2 ? 'data' : 'tree', id), false);
    assert.equal(table.add(type, id, 1, 1, 1, 1), false);
  });
  assert.equal(table.size, 1000);
  assert.equal(table.get('data', newId()), undefined);
});

test('claims once, and places later', () => {
  const table = BlobTable.create(10);
  const id = newId();
  assert.equal(table.claim('data', id), true);
  assert.equal(table.claim('data', id), false);
  assert.equal(table.has('data', id), true);
  assert.equal(table.get('data', id), undefined);
  table.place('data', id, { pack: 0, offset: 5, length: 6, uncompressedLength: 0 });
  assert.deepEqual(table.get('data', id), { pack: 0, offset: 5, length: 6, uncompressedLength: 0 });
});

test('grows by segments, which keep their slots', () => {
  const table = BlobTable.create(100);
  const ids: Int32Array[] = [];
  const slots: number[] = [];
  for (let i = 0; i < 40_000; i++) {
    if (table.room === 0) table.addSegment(20_000);
    const id = newId();
    ids.push(id);
    assert.ok(table.add('data', id, i, 0, 1, 0));
    slots.push(table.slot('data', id));
  }
  assert.ok(table.segments.length >= 2);
  ids.forEach((id, i) => {
    assert.equal(table.get('data', id)!.pack, i);
    assert.equal(table.slot('data', id), slots[i]);
  });
  assert.equal(new Set(slots).size, ids.length);
  let visited = 0;
  table.forEach((_type, id, location, slot) => {
    visited++;
    assert.equal(hexOfWords(id), hexOfWords(ids[location.pack]!));
    assert.equal(slot, slots[location.pack]);
  });
  assert.equal(visited, ids.length);
});

test('takes at most 70 bytes a blob when the number is known', () => {
  const table = BlobTable.create(200_000);
  assert.ok(table.memoryBytes / 200_000 <= 70, `${table.memoryBytes / 200_000} bytes`);
  assert.ok(table.room >= 200_000);
});

test('lets one of several threads claim each id', async () => {
  const table = BlobTable.create(20_000);
  const seeds = new SharedArrayBuffer(20_000 * 32);
  random.fill(new Uint8Array(seeds));
  const claims = await Promise.all([0, 1, 2].map(() => claimInThread(table, seeds)));
  assert.equal(claims[0]! + claims[1]! + claims[2]!, 20_000);
  assert.equal(table.size, 20_000);
});

function claimInThread(table: BlobTable, ids: SharedArrayBuffer): Promise<number> {
  const code = `
    import { parentPort, workerData } from 'node:worker_threads';
    const { BlobTable, idWords } = await import(workerData.module);
    const table = BlobTable.attach(workerData.segments);
    const bytes = new Uint8Array(workerData.ids);
    let claimed = 0;
    for (let at = 0; at < bytes.length; at += 32) if (table.claim('data', idWords(bytes, at))) claimed++;
    parentPort.postMessage(claimed);
  `;
  const module = import.meta.resolve('./blob-table.ts');
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), {
      workerData: { module, segments: table.segments, ids },
    });
    worker.once('message', resolve).once('error', reject);
  });
}

test('reads ids from hex', () => {
  const hex = '00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff';
  assert.equal(hexOfWords(idWordsOfHex(hex)), hex);
});
