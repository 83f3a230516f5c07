import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { systemRandom } from '#base';
import {
  checkRepository,
  forgetSnapshots,
  initRepository,
  inlineExecutor,
  type SnapshotId,
} from '#repository';
import { filesSource, type Source } from '#sources';
import { MemoryStorage, type Storage } from '#storage';
import { type BackupRequest, backup } from './backup.ts';
import { forget } from './forget.ts';
import type { RoomMade } from './make-room.ts';
import { describeUse, isFull, isNearlyFull, repositoryUse } from './quota.ts';

const MiB = 1024 * 1024;
const root = fs.mkdtempSync(join(tmpdir(), 'holdfast-quota-'));
after(() => fs.rmSync(root, { recursive: true, force: true }));

async function storageOf(sizesBytes: number[], freeBytes?: number): Promise<Storage> {
  const storage: Storage = new MemoryStorage();
  for (const [index, sizeBytes] of sizesBytes.entries())
    await storage.write(`data/${index}`, new Uint8Array(sizeBytes));
  if (freeBytes !== undefined) storage.space = async () => ({ freeBytes, totalBytes: 100 * MiB });
  return storage;
}

test('adds up all files, and the nearer end counts: the quota or the room of the storage', async () => {
  const storage = await storageOf([MiB, 2 * MiB, MiB]);
  const use = await repositoryUse({ storage }, { quotaBytes: 5 * MiB });
  assert.deepEqual(use, { storedBytes: 4 * MiB, mostBytes: 5 * MiB, share: 0.8 });
  assert(isNearlyFull(use));
  assert.equal(describeUse(use), '4.00 MiB of 5.00 MiB (80 %)');
  assert(!isNearlyFull(await repositoryUse({ storage }, { quotaBytes: 6 * MiB })));
  const crowded = await storageOf([4 * MiB], MiB);
  assert.equal((await repositoryUse({ storage: crowded }, { quotaBytes: 50 * MiB })).mostBytes, 5 * MiB);
  const roomy = await storageOf([4 * MiB], 90 * MiB);
  assert.equal((await repositoryUse({ storage: roomy }, { quotaBytes: 50 * MiB })).mostBytes, 50 * MiB);
});

test('a backup into a full repository is refused before it reads or writes anything', async () => {
  fs.writeFileSync(join(root, 'file'), Buffer.alloc(MiB, 'x'));
  const storage = new MemoryStorage();
  const kdf = { N: 1024, r: 8, p: 1 };
  const repository = await initRepository({ storage, password: 'x', kdf, executor: inlineExecutor() });
  const source = filesSource({ paths: [root] });
  const { storedBytes } = await repositoryUse(repository, { quotaBytes: MiB });
  assert(storedBytes > 0);
  const problems: unknown[] = [];
  const request = { repository, source, onProblem: (problem: unknown) => problems.push(problem) };
  await assert.rejects(backup({ ...request, quotaBytes: storedBytes }), {
    code: 'repository.quota',
    retry: 'later',
    message: /the repository is full: .* \(100 %\)/,
    hint: /Forget snapshots and prune/,
  });
  assert.equal((await repositoryUse(repository, { quotaBytes: MiB })).storedBytes, storedBytes);
  const outcome = await backup({ ...request, quotaBytes: storedBytes + 1 });
  assert.equal(outcome.use?.storedBytes, storedBytes);
  assert.equal(outcome.state, 'succeeded');
  assert.deepEqual(problems, []);
  await repository.close();
});

const password = 'x';
const kdf = { N: 1024, r: 8, p: 1 };
const dayMs = 86_400_000;

/** A repository with one snapshot a day, each of a MiB that no other has. */
async function repositoryOf(storage: Storage, snapshotCount: number) {
  const repository = await initRepository({ storage, password, kdf, executor: inlineExecutor() });
  const folder = fs.mkdtempSync(join(root, 'source-'));
  const source = filesSource({ paths: [folder] });
  const backUp = (day: number, more: Partial<BackupRequest> = {}) => {
    fs.writeFileSync(join(folder, 'file'), systemRandom.fill(new Uint8Array(MiB)));
    const timeNs = BigInt(Date.now() - (snapshotCount + 1 - day) * dayMs) * 1_000_000n;
    return backup({ repository, source, timeNs, ...more });
  };
  const ids: SnapshotId[] = [];
  for (let day = 1; day <= snapshotCount; day++) ids.push((await backUp(day)).snapshot!.id);
  const left = async () => (await repository.snapshots()).map(({ id }) => id);
  const check = async () => assert((await checkRepository(repository)).isSound);
  return { repository, backUp, ids, left, check };
}

test('a full repository loses its oldest snapshots, as few as it takes and none that the policy keeps', async () => {
  const { repository, backUp, ids, left, check } = await repositoryOf(new MemoryStorage(), 6);
  let room: RoomMade | undefined;
  const whenFull = { policy: { last: 2 } };
  const onRoomMade = (made: RoomMade) => {
    room = made;
  };
  const outcome = await backUp(7, { quotaBytes: 6 * MiB, whenFull, onRoomMade });
  assert.deepEqual(
    room!.forgotten.map(({ id }) => id),
    ids.slice(0, 2),
  );
  assert(!isFull(room!.after) && !isNearlyFull(room!.after));
  assert(room!.before.storedBytes - room!.after.storedBytes > 2 * MiB);
  assert.deepEqual(outcome.use, room!.after);
  assert.deepEqual(await left(), [...ids.slice(2), outcome.snapshot!.id]);
  await check();
  await repository.close();
});

test('space that nobody needs is freed before a snapshot goes', async () => {
  const { repository, backUp, ids, left, check } = await repositoryOf(new MemoryStorage(), 4);
  await forgetSnapshots(repository, (snapshots) => [snapshots[1]!.id, snapshots[2]!.id]);
  const forgotten: unknown[] = [];
  await backUp(5, {
    quotaBytes: 4 * MiB,
    whenFull: { policy: { last: 1 } },
    onRoomMade: (room) => forgotten.push(...room.forgotten),
  });
  assert.deepEqual(forgotten, []);
  assert.deepEqual((await left()).slice(0, 2), [ids[0], ids[3]]);
  await check();
  await repository.close();
});

test('neither locked snapshots nor the last whole one go, and nothing does when that would not help', async () => {
  const storage: Storage = new MemoryStorage();
  const { repository, backUp, ids, left, check } = await repositoryOf(storage, 5);
  const locked = new Set<string>([`snapshots/${ids[0]}`]);
  const retainedUntil = async (name: string) => (locked.has(name) ? new Date(Date.now() + dayMs) : undefined);
  Object.assign(storage, { retention: { retainedUntil, extend: async () => {}, hide: async () => {} } });
  const request = { quotaBytes: 4 * MiB, whenFull: { policy: { last: 1 } } };
  await backUp(6, request);
  assert((await left()).includes(ids[0]!));
  const before = await left();
  for (const id of before) locked.add(`snapshots/${id}`);
  const rooms: RoomMade[] = [];
  const refused = backUp(7, { ...request, quotaBytes: 2 * MiB, onRoomMade: (room) => rooms.push(room) });
  await assert.rejects(refused, { code: 'repository.quota' });
  assert.deepEqual(rooms[0]!.forgotten, []);
  assert.deepEqual(await left(), before);
  await check();
  await repository.close();
});

test('a snapshot tells that something of its source was lost, and the one before it stays', async () => {
  const { repository, backUp, ids, left } = await repositoryOf(new MemoryStorage(), 3);
  const source: Source = {
    paths: [root],
    streamConcurrency: 1,
    close: async () => {},
    async *read() {
      yield { kind: 'problem', problem: { path: '/gone', error: new Error('gone'), gravity: 'lost' } };
    },
  };
  const partial = await backUp(4, { source });
  assert.equal(partial.state, 'partial');
  assert.equal((await repository.snapshots()).at(-1)!.summary?.filesLost, 1);
  await forget({ repository, policy: { last: 1 }, groupBy: [] });
  assert.deepEqual(await left(), [ids[2], partial.snapshot!.id]);
  await repository.close();
});
