import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '#base';
import { idOf } from '../format/ids.ts';
import { randomMasterKey } from '../format/sealed.ts';
import { BlobTable } from '../index/blob-table.ts';
import type { FinishedPack } from '../pack/pack-builder.ts';
import { readPackHeader } from '../pack/pack-header.ts';
import { packPlaces, slotOffset } from './arena.ts';
import { type Executor, inlineExecutor, threadExecutor } from './executor.ts';
import { LanePool } from './lane-pool.ts';

const random = seededRandom(12);
const key = randomMasterKey(random);
const executors: [name: string, executor: () => Executor][] = [
  ['inline', () => inlineExecutor(seededRandom(13))],
  ['thread', () => threadExecutor(2)],
];

/** A pool whose packs are "uploaded" at once; tells the blobs in them. */
function openPool(executor: Executor, packSizeTarget = 100_000) {
  const stored: string[] = [];
  const onPack = ({ buffer, headerBytes, sizeBytes, id }: FinishedPack): void => {
    const { body, header } = packPlaces(pool.layout, buffer);
    assert.equal(idOf(pool.bytes.slice(body, body + sizeBytes)), id);
    for (const entry of readPackHeader(pool.bytes.slice(header, header + headerBytes))!)
      stored.push(`${entry.type} ${Buffer.from(entry.id).toString('hex')}`);
    pool.releaseBuffer(buffer);
  };
  const pool: LanePool = new LanePool({
    executor,
    table: BlobTable.create(0),
    key,
    compression: 'auto',
    verify: true,
    packSizeTarget,
    uploads: 1,
    extraSlots: 1,
    onPack,
  });
  return { pool, stored };
}

async function store(pool: LanePool, type: 'data' | 'tree', plain: Uint8Array): Promise<string> {
  const slot = await pool.slots.acquire();
  const offset = slotOffset(pool.layout, slot);
  pool.bytes.set(plain, offset);
  const ids = await pool.run({ kind: 'store', type, spans: [offset, plain.length] }, 1);
  pool.slots.release(slot);
  return Buffer.from(ids).toString('hex');
}

test('inline lanes and threads store the same blobs, each once, under its id', async () => {
  const contents = Array.from({ length: 60 }, (_, i) => random.fill(new Uint8Array(1000 + 1500 * (i % 20))));
  const all = [...contents, ...contents.slice(0, 30)];
  const results = [];
  for (const [, executor] of executors) {
    const { pool, stored } = openPool(executor());
    const ids = await Promise.all(all.map((plain, i) => store(pool, i % 2 ? 'tree' : 'data', plain)));
    assert.deepEqual(
      ids,
      all.map((plain) => idOf(plain)),
    );
    await pool.finishPacks();
    await pool.close();
    assert.equal(new Set(stored).size, stored.length, 'none was stored twice');
    results.push(stored.toSorted());
  }
  assert.deepEqual(results[0], results[1]);
  assert.equal(results[0]!.length, 60);
});

for (const [name, executor] of executors) {
  test(`${name} lanes open what they sealed, and tell what is damaged`, async () => {
    const { pool } = openPool(executor());
    const plain = Buffer.alloc(5000, 'compressible ');
    const sealed = Promise.withResolvers<{ at: number; length: number; uncompressedLength: number }>();
    const { pool: writer } = openPoolForOne(executor(), (bytes, entry) => {
      const slotAt = slotOffset(pool.layout, 0);
      pool.bytes.set(bytes, slotAt);
      sealed.resolve({ at: slotAt, ...entry });
    });
    const id = await store(writer, 'data', plain);
    await writer.finishPacks();
    const { at, length, uncompressedLength } = await sealed.promise;
    const to = slotOffset(pool.layout, 1);
    const blob = { offset: at, length, uncompressedLength, id, to, capacity: plain.length };
    assert.deepEqual(await pool.run({ kind: 'open', blobs: [blob] }), [plain.length]);
    assert.ok(Buffer.from(pool.bytes.slice(to, to + plain.length)).equals(plain));
    const wrongId = 'ab'.repeat(32);
    assert.deepEqual(
      await pool.run({
        kind: 'open',
        blobs: [
          { ...blob, id: wrongId },
          { ...blob, capacity: 10 },
        ],
      }),
      [-1, -1],
    );
    const { damaged } = await pool.run({
      kind: 'verify',
      offset: at,
      length,
      blobs: [{ ...blob, id: wrongId }],
    });
    assert.deepEqual(damaged, [0]);
    await Promise.all([writer.close(), pool.close()]);
  });

  test(`${name} lanes: after a failure every task is refused with it, and closing ends`, async () => {
    const { pool } = openPool(executor());
    await store(pool, 'data', Buffer.from('before'));
    const failure = new Error('the storage is full');
    pool.fail(failure);
    await assert.rejects(pool.run({ kind: 'store', type: 'data', spans: [0, 1] }, 1), failure);
    await assert.rejects(pool.slots.acquire(), failure);
    await assert.rejects(pool.finishPacks(), failure);
    await pool.close();
    await pool.close();
  });

  test(`${name} lanes: the table grows while blobs are stored, and none is stored twice`, async () => {
    const { pool, stored } = openPool(executor());
    const room = 20_000;
    const contents = Array.from({ length: room }, (_, i) => Buffer.from(`blob ${i}`));
    for (let at = 0; at < room; at += 1000) {
      const slot = await pool.slots.acquire();
      let offset = slotOffset(pool.layout, slot);
      const spans: number[] = [];
      for (const content of contents.slice(at, at + 1000)) {
        pool.bytes.set(content, offset);
        spans.push(offset, content.length);
        offset += content.length;
      }
      await pool.run({ kind: 'store', type: 'data', spans }, 1000);
      pool.slots.release(slot);
    }
    await store(pool, 'data', contents[0]!);
    await pool.finishPacks();
    assert.equal(stored.length, room);
    assert.equal(new Set(stored).size, room);
    await pool.close();
  });
}

/** A pool that hands over the first blob of its first pack. */
function openPoolForOne(
  executor: Executor,
  onBlob: (bytes: Uint8Array, entry: { length: number; uncompressedLength: number }) => void,
) {
  const pool: LanePool = new LanePool({
    executor,
    table: BlobTable.create(0),
    key,
    compression: 'auto',
    verify: true,
    packSizeTarget: 4096,
    uploads: 1,
    extraSlots: 0,
    onPack: ({ buffer, headerBytes }) => {
      const { body, header } = packPlaces(pool.layout, buffer);
      const [entry] = readPackHeader(pool.bytes.slice(header, header + headerBytes))!;
      onBlob(pool.bytes.slice(body, body + entry!.length), entry!);
      pool.releaseBuffer(buffer);
    },
  });
  return { pool };
}
