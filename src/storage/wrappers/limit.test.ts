import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '#base';
import { expectContent, expectReason, itemsOf } from '../checks/expect.ts';
import { MemoryStorage } from '../memory/memory-storage.ts';
import type { ByteRange, Content } from '../storage.ts';
import { storageContract } from '../testing/contract.ts';
import { LeapingClock } from '../testing/leaping-clock.ts';
import { limit } from './limit.ts';

const bytes = seededRandom(1).fill(new Uint8Array(1_000_000));

storageContract({
  name: 'one call at once and a limited rate',
  open: async () =>
    limit(new MemoryStorage(), {
      concurrency: 1,
      uploadBytesPerSecond: 1_000_000,
      downloadBytesPerSecond: 1_000_000,
      clock: new LeapingClock(),
    }),
});

test('upload and download are limited apart', async () => {
  const clock = new LeapingClock();
  const storage = limit(new MemoryStorage(), {
    uploadBytesPerSecond: 100_000,
    downloadBytesPerSecond: 500_000,
    clock,
  });
  const secondsOf = async (work: Promise<unknown>) => {
    const startMs = clock.monotonicMs();
    await work;
    return Math.round((clock.monotonicMs() - startMs) / 1000);
  };
  assert.equal(await secondsOf(storage.write('one', bytes)), 10);
  assert.equal(await secondsOf(Promise.all([storage.write('a', bytes), storage.write('b', bytes)])), 20);
  assert.equal(await secondsOf(expectContent(storage, 'one', bytes)), 2);
});

test('bytes at hand flow evenly, and without a rate go through untouched', async () => {
  const clock = new LeapingClock();
  const received: { sizeBytes: number; atMs: number }[] = [];
  let last: Content | undefined;
  const memory = new MemoryStorage();
  memory.write = async (_name, content) => {
    last = content;
    if (!('open' in content)) return;
    for await (const piece of content.open())
      received.push({ sizeBytes: piece.length, atMs: clock.monotonicMs() });
  };
  await limit(memory, { uploadBytesPerSecond: 655_360, clock }).write('file', bytes);
  assert.equal(received.length, 16);
  for (const [index, { sizeBytes, atMs }] of received.entries()) {
    assert(sizeBytes <= 64 * 1024);
    if (index > 2) assert(atMs - received[index - 1]!.atMs <= 101, 'a burst or a gap');
  }
  await limit(memory, { concurrency: 1 }).write('file', bytes);
  assert.equal(last, bytes);
});

test('so many calls are at work at once, in the order they came', async () => {
  const clock = new LeapingClock();
  const memory = new MemoryStorage();
  let workingCount = 0;
  let workingCountMax = 0;
  const order: string[] = [];
  memory.write = async (name) => {
    workingCountMax = Math.max(workingCountMax, ++workingCount);
    order.push(name);
    await clock.sleep(100);
    workingCount--;
  };
  const storage = limit(memory, { concurrency: 3, clock });
  const names = Array.from({ length: 10 }, (_, i) => `file${i}`);
  await Promise.all(names.map((name) => storage.write(name, bytes)));
  assert.equal(workingCountMax, 3);
  assert.deepEqual(order, names);
});

test('streams take turns', async () => {
  const memory = new MemoryStorage();
  const turns: string[] = [];
  memory.read = async function* (name: string, _range?: ByteRange) {
    for (let i = 0; i < 3; i++) {
      turns.push(name);
      yield bytes;
    }
  };
  const storage = limit(memory, { concurrency: 1 });
  await Promise.all([itemsOf(storage.read('a')), itemsOf(storage.read('b'))]);
  assert.deepEqual(turns, ['a', 'b', 'a', 'b', 'a', 'b']);
});

test('who waits for a slot can be aborted, and no slot is lost', async () => {
  const clock = new LeapingClock();
  const memory = new MemoryStorage();
  const storage = limit(memory, { concurrency: 1, clock });
  const abort = new AbortController();
  const slow = storage.write('slow', { open: () => slowly(clock) });
  const hangs = storage.write('hangs', { open: () => never() }, { signal: abort.signal });
  const waits = storage.stat('slow', { signal: abort.signal });
  abort.abort('enough');
  await expectReason('enough', waits);
  await expectReason('enough', hangs);
  await slow;
  for (let i = 0; i < 3; i++) await storage.write(`later${i}`, bytes);
  await expectContent(storage, 'later2', bytes);
});

async function* slowly(clock: LeapingClock): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < 3; i++) {
    await clock.sleep(1000);
    yield bytes;
  }
}

async function* never(): AsyncGenerator<Uint8Array> {
  yield bytes;
  await new Promise(() => {});
}
