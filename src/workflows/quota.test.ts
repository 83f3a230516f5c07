import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { initRepository, inlineExecutor } from '#repository';
import { filesSource } from '#sources';
import { MemoryStorage, type Storage } from '#storage';
import { backup } from './backup.ts';
import { describeUse, isNearlyFull, repositoryUse } from './quota.ts';

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
