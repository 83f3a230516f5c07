import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { BufferPool } from './buffer-pool.ts';
import { SlotPool } from './slot-pool.ts';

test('gives slots out in order of asking', async () => {
  const pool = new SlotPool(1);
  const order: string[] = [];
  assert.equal(await pool.acquire(), 0);
  const waiting = ['a', 'b'].map((name) => pool.acquire().then(() => order.push(name)));
  await setImmediate();
  assert.deepEqual(order, []);
  pool.release(0);
  await waiting[0];
  assert.deepEqual(order, ['a']);
  pool.release(0);
  await waiting[1];
  assert.deepEqual(order, ['a', 'b']);
});

test('a slot is free when its last holder has let go', async () => {
  const pool = new SlotPool(1);
  const slot = await pool.acquire();
  pool.hold(slot);
  let isTaken = false;
  const next = pool.acquire().then(() => {
    isTaken = true;
  });
  pool.release(slot);
  await setImmediate();
  assert.ok(!isTaken);
  pool.release(slot);
  await next;
});

test('tells an idle holder to park, one for each that waits, and none who has withdrawn', async () => {
  const pool = new SlotPool(3);
  const slots = [await pool.acquire(), await pool.acquire(), await pool.acquire()];
  const parked: number[] = [];
  const parks = slots.map((slot) => () => {
    parked.push(slot);
    pool.release(slot);
  });
  for (const park of parks) pool.offer(park);
  pool.withdraw(parks[0]!);
  assert.equal(await pool.acquire(), 1);
  assert.deepEqual(parked, [1]);
  assert.equal(await pool.acquire(), 2);
  assert.deepEqual(parked, [1, 2]);
  const waiting = pool.acquire();
  await setImmediate();
  assert.deepEqual(parked, [1, 2]);
  pool.offer(parks[0]!);
  assert.equal(await waiting, 0, 'an offer serves those who wait already');
});

test('a failed pool ends every wait, now and later', async () => {
  const pool = new SlotPool(1);
  await pool.acquire();
  const waiting = assert.rejects(pool.acquire(), /the first/);
  pool.fail(new Error('the first'));
  pool.fail(new Error('the second'));
  await waiting;
  await assert.rejects(pool.acquire(), /the first/);
  pool.release(0);
  assert.ok(pool.isIdle);
});

test('our own mistakes are found: a slot released twice, a free one held', async () => {
  const pool = new SlotPool(1);
  assert.throws(() => pool.hold(0), /free slot/);
  pool.release(await pool.acquire());
  assert.throws(() => pool.release(0), /twice/);
});

test('buffers are taken by any thread, the lowest first', () => {
  const pool = new BufferPool(2);
  const elsewhere = new BufferPool(pool.shared);
  assert.deepEqual([pool.tryTake(), elsewhere.tryTake(), pool.tryTake()], [0, 1, -1]);
  assert.equal(elsewhere.freeCount, 0);
  pool.release(0);
  assert.equal(elsewhere.freeCount, 1);
  assert.equal(elsewhere.takeBlocking(), 0);
});

test('an abandoned pool of buffers lets nobody wait', () => {
  const pool = new BufferPool(1);
  pool.tryTake();
  pool.abandon();
  assert.throws(() => pool.takeBlocking(), /upload of a pack failed/);
});
