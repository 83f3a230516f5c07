import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '#base';
import { StorageError } from '#storage';
import type { RepositoryError } from '../errors.ts';
import { randomMasterKey } from '../format/sealed.ts';
import { type MemoryStorage, memoryStorage } from '../format/testing/memory-storage.ts';
import { SimulatedClock } from '../format/testing/simulated-clock.ts';
import { UnpackedFiles } from '../unpacked.ts';
import { acquireLock, type LockOptions, type RepositoryLock } from './lock.ts';
import { encodeLockFile } from './lock-file.ts';
import type { LockOwner } from './owner.ts';
import { listLocks, removeAllLocks, removeStaleLocks } from './unlock.ts';

const minuteMs = 60_000;
const random = seededRandom(1);
const key = randomMasterKey(random);

interface World {
  storage: MemoryStorage;
  files: UnpackedFiles;
  clock: SimulatedClock;
  /** Acquires as the named host, letting the simulated time pass. */
  lock(hostname: string, options?: Partial<LockOptions>): Promise<RepositoryLock>;
}

function world(): World {
  const storage = memoryStorage();
  const files = new UnpackedFiles({ storage, key, random, version: 2 });
  const clock = new SimulatedClock();
  const lock: World['lock'] = (hostname, options = {}) =>
    clock.run(acquireLock(files, { exclusive: false, clock, owner: owner(hostname), ...options }));
  return { storage, files, clock, lock };
}

function owner(hostname: string, changes: Partial<LockOwner> = {}): LockOwner {
  return { hostname, username: 'anna', uid: 7, gid: 0, pid: 100, isProcessAlive: () => true, ...changes };
}

const lockCount = ({ storage }: World) =>
  [...storage.files.keys()].filter((name) => name.startsWith('locks/')).length;
const isLocked = { name: 'RepositoryError', code: 'repository.locked' };

test('shares a lock that is not exclusive, and removes it at the end', async () => {
  const w = world();
  const one = await w.lock('one');
  const two = await w.lock('two');
  assert.equal(lockCount(w), 2);
  await one.release();
  await two.release();
  await two.release();
  assert.equal(lockCount(w), 0);
});

test('refuses when either lock is exclusive, says who holds it, and leaves no lock behind', async () => {
  const w = world();
  const held = await w.lock('db1', { exclusive: true });
  await w.clock.advance(3 * minuteMs);
  await assert.rejects(w.lock('two'), {
    ...isLocked,
    message: 'the repository is locked exclusively by anna on db1 (process 100), last seen 3 minutes ago',
    exitCode: 11,
    retry: 'later',
  });
  await held.release();
  const shared = await w.lock('two');
  await assert.rejects(w.lock('three', { exclusive: true }), isLocked);
  assert.equal(lockCount(w), 1);
  await shared.release();
});

test('lets at most one of two through that lock at the same instant', async () => {
  const w = world();
  const both = await w.clock.run(
    Promise.allSettled(
      ['one', 'two'].map((name) =>
        acquireLock(w.files, { exclusive: true, clock: w.clock, owner: owner(name) }),
      ),
    ),
  );
  const held = both.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  assert.ok(held.length <= 1);
  assert.equal(lockCount(w), held.length);
});

test('waits for a lock as long as it was told', async () => {
  const w = world();
  const held = await w.lock('one', { exclusive: true });
  const begunMs = w.clock.nowMs();
  const waits: RepositoryError[] = [];
  const onWait = (conflict: RepositoryError) => void waits.push(conflict);
  await assert.rejects(w.lock('two', { retryForMs: 100_000, onWait }), isLocked);
  assert.ok(w.clock.nowMs() - begunMs >= 100_000 && w.clock.nowMs() - begunMs < 101_000);
  assert.equal(waits.length, 1);
  const waiting = w.lock('two', { retryForMs: 100_000, onWait });
  await w.clock.advance(20_000);
  await held.release();
  await (await waiting).release();
});

test('ends the waiting when it is cancelled', async () => {
  const w = world();
  const held = await w.lock('one', { exclusive: true });
  const cancel = new AbortController();
  const waiting = w.lock('two', { retryForMs: 100_000, signal: cancel.signal });
  await w.clock.advance(1000);
  cancel.abort(new Error('cancelled'));
  await assert.rejects(waiting, /cancelled/);
  await held.release();
});

test('passes over empty lock files and tries an unreadable one again', async () => {
  const w = world();
  w.storage.files.set(`locks/${'0'.repeat(64)}`, new Uint8Array(0));
  w.storage.files.set('locks/not-an-id', Buffer.from('x'));
  await (await w.lock('one')).release();
  w.storage.files.set(`locks/${'1'.repeat(64)}`, Buffer.from('damaged'));
  const begunMs = w.clock.nowMs();
  await assert.rejects(w.lock('one'), { code: 'repository.damaged', message: /lock file cannot be read/ });
  assert.ok(w.clock.nowMs() - begunMs >= 35_000);
  const waiting = w.lock('one');
  await w.clock.advance(10_000);
  w.storage.files.delete(`locks/${'1'.repeat(64)}`);
  await (await waiting).release();
});

test('refreshes every five minutes, the new file before the old one goes', async () => {
  const w = world();
  const held = await w.lock('one', { exclusive: true });
  const [first] = await listLocks({ unpacked: w.files });
  await w.clock.advance(5 * minuteMs + 2000);
  const after = await listLocks({ unpacked: w.files });
  assert.equal(after.length, 1);
  assert.notEqual(after[0]!.id, first!.id);
  assert.ok(after[0]!.timeMs >= first!.timeMs + 5 * minuteMs);
  await w.clock.advance(24 * 60 * minuteMs);
  assert.equal(lockCount(w), 1);
  assert.ok(!held.signal.aborted);
  await held.release();
});

test('is lost after 22.5 minutes without a refresh, and says so', async () => {
  const w = world();
  const problems: unknown[] = [];
  const held = await w.lock('one', { onProblem: (error) => void problems.push(error) });
  const write = w.storage.write;
  w.storage.write = async () => {
    throw new StorageError('storage.unreachable', 'no route');
  };
  await w.clock.advance(22 * minuteMs);
  assert.equal(problems.length, 4);
  assert.ok(!held.signal.aborted);
  await w.clock.advance(minuteMs);
  assert.equal((held.signal.reason as RepositoryError).code, 'repository.lock-lost');
  w.storage.write = write;
  await held.release();
  assert.equal(lockCount(w), 0);
});

test('is saved by the last refresh when its file is still there', async () => {
  const w = world();
  const frozen: string[] = [];
  const freeze = () => {
    frozen.push('frozen');
    return { [Symbol.dispose]: () => void frozen.push('thawed') };
  };
  const held = await w.lock('one', { freeze });
  w.clock.jump(60 * minuteMs); // standby
  await w.clock.advance(2000);
  assert.ok(!held.signal.aborted);
  assert.deepEqual(frozen, ['frozen', 'thawed']);
  const [lock] = await listLocks({ unpacked: w.files });
  assert.ok(w.clock.nowMs() - lock!.timeMs < minuteMs);
  assert.equal(lockCount(w), 1);
  await held.release();
});

test('is lost when somebody removed its file while it was stale', async () => {
  for (const removedAfterMs of [0, 1100]) {
    const w = world();
    const held = await w.lock('one');
    const [stale] = await listLocks({ unpacked: w.files });
    w.clock.jump(60 * minuteMs);
    await w.clock.advance(removedAfterMs);
    w.storage.files.delete(`locks/${stale!.id}`);
    await w.clock.advance(2000);
    assert.equal((held.signal.reason as RepositoryError).code, 'repository.lock-lost');
    await held.release();
    assert.equal(lockCount(w), 0);
  }
});

test('is lost in time although the storage hangs', async () => {
  const w = world();
  const held = await w.lock('one');
  w.storage.write = () => new Promise(() => {});
  await w.clock.advance(24 * minuteMs);
  assert.equal((held.signal.reason as RepositoryError).code, 'repository.lock-lost');
  w.storage.delete = () => new Promise(() => {});
  await w.clock.run(held.release());
});

test('keeps its time right when the wall clock is set back', async () => {
  const w = world();
  const held = await w.lock('one');
  w.clock.jump(-60 * minuteMs);
  await w.clock.advance(6 * minuteMs);
  const [lock] = await listLocks({ unpacked: w.files });
  assert.ok(w.clock.nowMs() - lock!.timeMs <= 2 * minuteMs);
  await held.release();
});

test('a refresh that ends after the release leaves nothing behind', async () => {
  const w = world();
  const held = await w.lock('one');
  const write = w.storage.write;
  let finish = () => {};
  w.storage.write = async (name, content) => {
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
    await write(name, content);
  };
  await w.clock.advance(5 * minuteMs + 2000);
  await held.release();
  finish();
  await w.clock.advance(1000);
  assert.equal(lockCount(w), 0);
});

test('unlock removes what is older than 30 minutes, or of a dead process of this host', async () => {
  const w = world();
  const observer = { clock: w.clock, owner: owner('here', { isProcessAlive: (pid) => pid !== 666 }) };
  const ageMs = (age: number) => ({ timeMs: w.clock.nowMs() - age, exclusive: false });
  const save = (lockOwner: LockOwner, age: number) =>
    w.files.save('locks', encodeLockFile(lockOwner, ageMs(age)));
  const alive = await save(owner('here'), 29 * minuteMs);
  const deadElsewhere = await save(owner('there', { pid: 666 }), 0);
  const dead = await save(owner('here', { pid: 666 }), 0);
  const old = await save(owner('there'), 31 * minuteMs);
  w.storage.files.set(`locks/${'1'.repeat(64)}`, Buffer.from('damaged'));
  const removed = await removeStaleLocks({ unpacked: w.files, ...observer });
  assert.deepEqual(new Set(removed.map(({ id }) => id)), new Set([dead, old]));
  const left = (await listLocks({ unpacked: w.files })).map(({ id }) => id);
  assert.deepEqual(new Set(left), new Set([alive, deadElsewhere]));
  assert.equal(await removeAllLocks({ unpacked: w.files }), 3);
  assert.equal(lockCount(w), 0);
});

test('asked right after a standby, says at once whether the lock was taken away meanwhile', async () => {
  for (const isRemoved of [false, true]) {
    const w = world();
    const held = await w.lock('one');
    await held.assertHeld();
    w.clock.jump(40 * minuteMs);
    if (isRemoved) w.storage.files.clear();
    const asked = w.clock.run(held.assertHeld());
    if (isRemoved) await assert.rejects(asked, { code: 'repository.lock-lost' });
    else await asked;
    assert.equal(held.signal.aborted, isRemoved);
    assert.equal(lockCount(w), isRemoved ? 0 : 1);
    await held.release();
  }
});

test('a refresh that was under way during a standby proves nothing', async () => {
  const w = world();
  const held = await w.lock('one');
  const write = w.storage.write;
  w.storage.write = async (name, content) => {
    w.storage.write = write;
    w.clock.jump(40 * minuteMs);
    // Others take the stale lock away, then our late refresh arrives.
    w.storage.files.clear();
    await write(name, content);
  };
  await w.clock.advance(5 * minuteMs + 2000);
  await assert.rejects(held.assertHeld(), { code: 'repository.lock-lost' });
  await held.release();
  assert.equal(lockCount(w), 0);
});
