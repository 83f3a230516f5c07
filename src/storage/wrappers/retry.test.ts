import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect, seededRandom } from '#base';
import {
  expectContent,
  expectError,
  expectNothing,
  expectReason,
  itemsOf,
  listedNames,
} from '../checks/expect.ts';
import { MemoryStorage } from '../memory/memory-storage.ts';
import type { Storage } from '../storage.ts';
import { storageContract } from '../testing/contract.ts';
import { type FaultPlan, scripted, seeded } from '../testing/fault-plan.ts';
import { faulty } from '../testing/faulty.ts';
import { LeapingClock } from '../testing/leaping-clock.ts';
import { type RetryEvent, type RetryOptions, retry } from './retry.ts';

const bytes = seededRandom(1).fill(new Uint8Array(1_000_000));

interface Trial {
  memory: MemoryStorage;
  storage: Storage;
  clock: LeapingClock;
  events: RetryEvent[];
}

function retried(plan: FaultPlan, options: RetryOptions = {}): Trial {
  const memory = new MemoryStorage();
  const clock = new LeapingClock();
  const events: RetryEvent[] = [];
  const onRetry = (event: RetryEvent) => events.push(event);
  const storage = retry(faulty(memory, { plan, clock }), {
    clock,
    random: seededRandom(2),
    onRetry,
    ...options,
  });
  return { memory, storage, clock, events };
}

const chances = {
  perMillion: { fail: 100_000, 'fail-after': 100_000, cut: 100_000, hang: 20_000 },
  delayMsMax: 0,
};

storageContract({
  name: 'a bad connection, retried',
  open: async () => retried(seeded(seededRandom(3), chances), { silenceMsMax: 1000 }).storage,
});

test('repeats what may help, with pauses that grow and scatter', async () => {
  const plan = scripted({ write: 'EEEEEEEE.' });
  const { storage, events } = retried(plan, { pauseMs: 100, pauseMsMax: 1000 });
  await storage.write('file', bytes);
  await expectContent(storage, 'file', bytes);
  assert.deepEqual(plan.unmet(), []);
  const middlesMs = [100, 200, 400, 800, 1000, 1000, 1000, 1000];
  for (const [index, { pauseMs, failureCount, call }] of events.entries()) {
    assert.equal(failureCount, index + 1);
    assert.equal(call.operation, 'write');
    const middleMs = middlesMs[index]!;
    assert(pauseMs >= middleMs * 0.5 && pauseMs <= middleMs * 1.5, `pause ${index}: ${pauseMs} ms`);
  }
  assert.equal(new Set(events.map(({ pauseMs }) => pauseMs % 100)).size > 1, true);
});

test('gives up after the last attempt, and at once where repeating is of no use', async () => {
  const { storage, events } = retried(scripted({ stat: 'EEEE', delete: 'X' }), { attemptsMax: 3 });
  await expectError('storage.unreachable', storage.stat('file'));
  assert.equal(events.length, 2);
  await expectError('storage.failed', storage.delete('file'));
  await expectError('storage.not-found', itemsOf(storage.read('file')));
  assert.equal(events.length, 2);
});

test('stops waiting when aborted', async () => {
  const abort = new AbortController();
  const onRetry = () => abort.abort('enough');
  const { storage } = retried(scripted({ write: 'EEEE' }), { onRetry });
  await expectReason('enough', storage.write('file', bytes, { signal: abort.signal }));
});

test('a write whose answer was lost succeeds, and with ifAbsent too', async () => {
  for (const content of [bytes, [bytes.subarray(0, 10), bytes.subarray(10)], { open: () => inTwo() }]) {
    const plan = scripted({ write: 'eEe' });
    const { storage, memory } = retried(plan);
    await storage.write('file', content, { ifAbsent: true });
    await expectContent(memory, 'file', bytes);
    assert.deepEqual(plan.unmet(), []);
  }
});

async function* inTwo(): AsyncGenerator<Uint8Array> {
  yield bytes.subarray(0, 400_000);
  yield bytes.subarray(400_000);
}

test('somebody else’s file is not taken for ours', async () => {
  const { storage, memory } = retried(scripted({ write: '.EE' }));
  memory.files.set('file', new Uint8Array(1_000_000));
  await expectError('storage.exists', storage.write('file', bytes, { ifAbsent: true }));
  await expectError('storage.exists', storage.write('file', bytes, { ifAbsent: true }));
  memory.files.set('same', bytes);
  const first = retried(scripted({}));
  first.memory.files.set('same', bytes);
  await expectError('storage.exists', first.storage.write('same', bytes, { ifAbsent: true }));
});

test('a read goes on where it broke and yields no byte twice', async () => {
  const plan = scripted({ read: 'CECC.CSCE.' });
  const { storage, memory, events } = retried(plan);
  memory.files.set('file', bytes);
  await expectContent(storage, 'file', bytes);
  const range = { offset: 123, length: 900_001 };
  await expectContent(storage, 'file', bytes.subarray(123, 123 + 900_001), range);
  assert.deepEqual(plan.unmet(), []);
  assert.equal(events.length, 8);
  assert.deepEqual(
    events.map(({ failureCount }) => failureCount),
    [1, 2, 1, 1, 1, 1, 1, 2],
  );
});

test('a read of a file that became shorter meanwhile fails', async () => {
  const { storage, memory } = retried(scripted({ read: 'C' }));
  memory.files.set('file', bytes);
  const shorten = async () => {
    for await (const _piece of storage.read('file')) memory.files.set('file', bytes.subarray(0, 10));
  };
  await expectError('storage.failed', shorten());
});

test('a listing that breaks goes on, and lists each file once', async () => {
  const plan = scripted({ list: 'CCE.' });
  const { storage, memory } = retried(plan);
  for (let i = 0; i < 20; i++) memory.files.set(`file${i}`, bytes);
  const names = (await itemsOf(storage.list('file'))).map(({ name }) => name);
  assert.deepEqual(names.sort(), [...memory.files.keys()].sort());
  assert.deepEqual(plan.unmet(), []);
});

test('silence counts as a lost connection', async () => {
  const plan = scripted({ write: 'Hh', read: 'H', list: 'H', stat: '..H', delete: 'Hh' });
  const { storage, clock } = retried(plan, { silenceMsMax: 60_000 });
  const startMs = clock.nowMs();
  await storage.write('file', bytes, { ifAbsent: true });
  await expectContent(storage, 'file', bytes);
  assert.deepEqual(await listedNames(storage, ''), ['file']);
  assert.equal((await storage.stat('file'))?.sizeBytes, bytes.length);
  await storage.delete('file');
  await expectNothing(storage, '');
  assert(clock.nowMs() - startMs >= 6 * 60_000);
});

test('optional powers are kept and retried', async () => {
  const memory = new MemoryStorage();
  const clock = new LeapingClock();
  let failures = 0;
  const sometimes = async <T>(value: T): Promise<T> => {
    if (failures++ % 2 === 0) throw await itemsOf(broken.list('')).catch((error: unknown) => error);
    return value;
  };
  const broken = faulty(memory, { plan: scripted({ list: 'E'.repeat(20) }), clock });
  const version = { name: 'file', sizeBytes: 3, versionId: 'v1', isLatest: true, isDeleteMarker: false };
  const until = new Date(clock.nowMs());
  const withPowers: Storage = Object.assign(new MemoryStorage(), {
    space: () => sometimes({ freeBytes: 1, totalBytes: 2 }),
    removeUnfinished: () => sometimes(7),
    versions: {
      list: async function* () {
        yield await sometimes(version);
      },
      read: async function* () {
        yield await sometimes(Buffer.from('old'));
      },
      delete: () => sometimes(undefined),
      areKept: () => sometimes(true),
    },
    retention: {
      extend: () => sometimes(undefined),
      retainedUntil: () => sometimes(until),
      hide: () => sometimes(undefined),
      deleteLocked: () => sometimes(undefined),
      resetDefault: () => sometimes(undefined),
    },
  });
  const storage = retry(withPowers, { clock });
  await storage.retention!.hide('file');
  assert.deepEqual(await storage.space?.(), { freeBytes: 1, totalBytes: 2 });
  assert.equal(await storage.removeUnfinished?.(until), 7);
  assert.deepEqual(await itemsOf(storage.versions!.list('')), [version]);
  assert.equal(Buffer.from(await collect(storage.versions!.read('file', 'v1'))).toString(), 'old');
  await storage.versions?.delete('file', 'v1');
  assert.equal(await storage.versions?.areKept(), true);
  await storage.retention?.extend('file', until);
  assert.equal(await storage.retention?.retainedUntil('file'), until);
  await storage.retention?.deleteLocked('file');
  await storage.retention?.resetDefault();
  assert.equal(failures, 22);
  assert.equal(retry(memory).versions, undefined);
  assert.equal(retry(memory).space, undefined);
});

test('copies by the service are kept and retried', async () => {
  const memory = new MemoryStorage();
  const plan = scripted({ copy: 'Ee' });
  const clock = new LeapingClock();
  const withCopies: Storage = Object.assign(memory, {
    copies: {
      service: 'memory',
      addressOf: (name: string, versionId?: string) => `${name}@${versionId}`,
      copy: async (name: string) => void memory.files.set(name, bytes),
    },
  });
  const storage = retry(faulty(withCopies, { plan, clock }), { clock });
  assert.equal(storage.copies?.service, 'memory');
  assert.equal(storage.copies.addressOf('file', 'v1'), 'file@v1');
  await storage.copies.copy('copy', { address: 'file@v1', sizeBytes: bytes.length });
  await expectContent(storage, 'copy', bytes);
  assert.deepEqual(plan.unmet(), []);
  assert.equal(retry(new MemoryStorage()).copies, undefined);
});
