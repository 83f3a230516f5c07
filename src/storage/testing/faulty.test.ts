import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { collect, HoldfastError, seededRandom } from '#base';
import { expectError, expectReason, itemsOf, listedNames } from '../checks/expect.ts';
import { MemoryStorage } from '../memory/memory-storage.ts';
import type { Storage } from '../storage.ts';
import { storageContract } from './contract.ts';
import { FaultCounts } from './fault-counts.ts';
import { type FaultPlan, nthCall, scripted, seeded } from './fault-plan.ts';
import { faulty } from './faulty.ts';
import { LeapingClock } from './leaping-clock.ts';
import { ListingHistory } from './listing-history.ts';

const bytes = seededRandom(1).fill(new Uint8Array(1000));

function misbehaving(plan: FaultPlan) {
  const memory = new MemoryStorage();
  const clock = new LeapingClock();
  const counts = new FaultCounts();
  const life = new AbortController();
  const history = new ListingHistory();
  const client = (plan: FaultPlan) => faulty(memory, { plan, clock, counts, history });
  const storage = faulty(memory, { plan, clock, counts, life, history });
  return { memory, clock, counts, life, storage, client };
}

storageContract({
  name: 'no fault planned',
  open: async () => misbehaving(scripted({})).storage,
});

test('follows a script and tells what it did', async () => {
  const plan = scripted({ write: '.EeXC', delete: 'eE', read: 'CS', stat: 'D', list: 'C' });
  const { storage, memory, counts, clock } = misbehaving(plan);
  await storage.write('one', bytes);
  await expectError('storage.unreachable', storage.write('two', bytes));
  assert.equal(memory.files.has('two'), false);
  await expectError('storage.interrupted', storage.write('three', bytes));
  assert.equal(memory.files.has('three'), true);
  await expectError('storage.failed', storage.write('four', bytes));
  await expectError('storage.interrupted', storage.write('five', bytes));
  assert.equal(memory.files.has('five'), false);
  await storage.write('six', bytes);

  await expectError('storage.interrupted', storage.delete('one'));
  assert.equal(memory.files.has('one'), false);
  assert.deepEqual(plan.unmet(), [
    'delete 2: fail',
    'read 1: cut',
    'read 2: short',
    'stat 1: delay',
    'list 1: cut',
  ]);
  await expectError('storage.unreachable', storage.delete('six'));
  assert.equal(memory.files.has('six'), true);

  const pieces: Uint8Array[] = [];
  const readCut = async () => {
    for await (const piece of storage.read('six')) pieces.push(piece);
  };
  await expectError('storage.interrupted', readCut());
  assert.deepEqual(Buffer.concat(pieces), Buffer.from(bytes.subarray(0, 500)));
  assert.equal((await collect(storage.read('six', { offset: 0, length: 100 }))).length, 50);

  const startMs = clock.nowMs();
  await storage.stat('six');
  assert.equal(clock.nowMs() - startMs, 1000);
  await expectError('storage.interrupted', itemsOf(storage.list('')));
  assert.deepEqual(plan.unmet(), []);
  assert.equal(counts.of('write', 'cut'), 1);
  assert.equal(counts.of('read', 'short'), 1);
  assert.deepEqual(counts.under(1, ['delete'], ['fail', 'fail-after', 'hang']), ['delete × hang: 0']);
  assert(counts.lines(['write']).includes('write × fail-after: 1'));
});

test('refuses a script that no call can follow', () => {
  assert.throws(() => scripted({ write: 'S' }), /write knows no fault "S"/);
  assert.throws(() => scripted({ list: '.?' }), /list knows no fault/);
});

test('hangs until aborted, before or after the effect', async () => {
  const { storage, memory } = misbehaving(scripted({ write: 'Hh', read: 'H' }));
  const abort = new AbortController();
  const { signal } = abort;
  const before = storage.write('before', bytes, { signal });
  const after = storage.write('after', bytes, { signal });
  const read = itemsOf(storage.read('after', undefined, { signal }));
  await setImmediate();
  abort.abort('gone');
  await Promise.all([before, after, read].map((work) => expectReason('gone', work)));
  assert.deepEqual([...memory.files.keys()], ['after']);
});

test('a stale listing is as it was before the last changes of any client', async () => {
  const { storage, client, memory } = misbehaving(scripted({ list: '.OO' }));
  await storage.write('a', bytes);
  await storage.write('b', bytes);
  const other = client(scripted({}));
  await other.write('c', bytes);
  await other.delete('a');
  assert.deepEqual(await listedNames(storage, ''), ['b', 'c']);
  assert.deepEqual(await listedNames(storage, ''), ['a']);
  assert.deepEqual(await listedNames(storage, 'a'), ['a']);
  assert.deepEqual([...memory.files.keys()].sort(), ['b', 'c']);
});

/** Fails when the call is answered within the next turns of the event loop. */
async function expectSilence(...calls: Promise<unknown>[]): Promise<void> {
  let answerCount = 0;
  const count = () => answerCount++;
  for (const call of calls) call.then(count, count);
  for (let i = 0; i < 10; i++) await setImmediate();
  assert.equal(answerCount, 0, 'number of answers');
}

test('a dead client gets no answer and has no effect', async () => {
  for (const [script, effect] of [
    ['.K..', ['one']],
    ['.k..', ['one', 'crash']],
  ] as const) {
    const { storage, memory, life } = misbehaving(scripted({ write: script }));
    await storage.write('one', bytes);
    await expectSilence(storage.write('crash', bytes));
    assert(life.signal.aborted);
    const abort = new AbortController();
    const { signal } = abort;
    const calls = [
      storage.write('later', bytes, { signal }),
      storage.delete('one', { signal }),
      storage.stat('one', { signal }),
      itemsOf(storage.list('', { signal })),
      collect(storage.read('one', undefined, { signal })),
    ];
    abort.abort();
    await expectSilence(...calls);
    assert.deepEqual([...memory.files.keys()], effect);
  }
});

test('a client that is stopped from outside dies in the middle of its calls', async () => {
  const { storage, memory, life } = misbehaving(scripted({ write: '.D' }));
  const read = storage.read('one')[Symbol.asyncIterator]();
  await storage.write('one', bytes);
  const calls = [
    storage.write('delayed', bytes),
    storage.write('stream', { open: () => bytesAfter(life.signal) }),
    read.next(),
  ];
  life.abort();
  await expectSilence(...calls);
  assert.deepEqual([...memory.files.keys()], ['one']);
});

async function* bytesAfter(signal: AbortSignal): AsyncGenerator<Uint8Array> {
  yield bytes;
  // Bounded, so that a fault of the test ends it.
  for (let i = 0; i < 5 && !signal.aborted; i++) await setImmediate();
  yield bytes;
}

/** What a program that cannot bear any fault does. */
async function useStorage(storage: Storage): Promise<void> {
  await storage.write('a', bytes);
  await storage.write('b', bytes, { ifAbsent: true });
  await itemsOf(storage.list(''));
  await collect(storage.read('a'));
  await storage.delete('a');
}

test('fails the Nth call, for every N until none is left', async () => {
  const seen: string[] = [];
  for (let n = 1; ; n++) {
    const plan = nthCall(n, 'fail');
    const { storage } = misbehaving(plan);
    const [outcome] = await Promise.allSettled([useStorage(storage)]);
    if (plan.unmet().length > 0) {
      assert.equal(outcome.status, 'fulfilled');
      assert.equal(n, 6);
      break;
    }
    assert(outcome.status === 'rejected' && outcome.reason instanceof HoldfastError);
    seen.push(outcome.reason.message.split(' ')[1]!);
  }
  assert.deepEqual(seen, ['write', 'write', 'list', 'read', 'delete']);
  const lost = nthCall(3, 'fail-after');
  await assert.rejects(useStorage(misbehaving(lost).storage), /cannot delete a/);
});

test('a seed repeats itself', async () => {
  const perMillion = { fail: 200_000, 'fail-after': 100_000, cut: 100_000, stale: 100_000, delay: 50_000 };
  const story = async (seed: number) => {
    const { storage } = misbehaving(seeded(seededRandom(seed), { perMillion, delayMsMax: 5000 }));
    const told: string[] = [];
    for (let i = 0; i < 60; i++)
      await useStorage(storage).then(
        () => told.push('done'),
        (error: Error) => told.push(error.message),
      );
    return told.join('\n');
  };
  assert.equal(await story(7), await story(7));
  assert.notEqual(await story(7), await story(8));
});
