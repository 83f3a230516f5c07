import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { seededRandom, systemClock } from '#base';
import {
  checkRepository,
  initRepository,
  inlineExecutor,
  openRepository,
  pruneRepository,
  removeAllLocks,
} from '#repository';
import { filesSource } from '#sources';
import { backup } from '#workflows';
import { Restic } from '../servers/restic.ts';
import { describeTree } from '../trees/describe-tree.ts';

const password = 'killed';
const kills = 6;
const longestMs = 600_000;
const packSizeBytes = 512 * 1024;
const executor = inlineExecutor();
let folder: string;
let tree: string;
let origin: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-prune-kill-'));
  tree = join(folder, 'tree');
  origin = join(folder, 'origin');
  mkdirSync(tree);
  const random = seededRandom(31);
  const repository = await initRepository({
    storage: origin,
    password,
    executor,
    kdf: { N: 1024, r: 8, p: 1 },
  });
  for (let step = 0; step < 4; step++) {
    for (let i = 0; i < 60; i++)
      if (i % 4 >= step) writeFileSync(join(tree, `f${i}`), random.fill(new Uint8Array(100_000)));
    await backup({ repository, source: filesSource({ paths: [tree] }), packSizeBytes });
  }
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** Kills the worker some time after it has begun to prune. */
async function killPrune(
  location: string,
  afterMs: number,
): Promise<{ isKilled: boolean; workedMs: number }> {
  const script = join(import.meta.dirname, 'prune-worker.ts');
  const child = spawn(
    process.execPath,
    ['--conditions=src', '--disable-warning=ExperimentalWarning', script, location, password],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const ended = once(child, 'exit');
  await Promise.race([once(child.stdout, 'data'), ended]);
  const begunMs = systemClock.monotonicMs();
  const timer = setTimeout(() => child.kill('SIGKILL'), afterMs);
  const [status, signal] = await ended;
  clearTimeout(timer);
  assert.ok(status === 0 || signal === 'SIGKILL');
  return { isKilled: signal === 'SIGKILL', workedMs: systemClock.monotonicMs() - begunMs };
}

test('a prune that is killed at any instant leaves a sound repository, and the next one goes on', async () => {
  const whole = join(folder, 'whole');
  cpSync(origin, whole, { recursive: true });
  const { workedMs } = await killPrune(whole, longestMs);
  let hits = 0;
  for (let kill = 0; kill < kills; kill++) {
    const location = join(folder, `killed-${kill}`);
    cpSync(origin, location, { recursive: true });
    if ((await killPrune(location, (workedMs * kill) / kills)).isKilled) hits++;
    const restic = new Restic({ repository: location, password, folder });
    restic.run('unlock', '--remove-all');
    restic.run('check', '--read-data', '--no-lock');
    const repository = await openRepository({ storage: location, password, executor });
    await removeAllLocks(repository);
    const report = await pruneRepository(repository, {
      graceMs: 0,
      packSizeBytes,
      maxUnused: { percent: 0 },
    });
    assert.deepEqual([report.snapshots, report.unusedBytes], [1, 0]);
    assert.deepEqual((await checkRepository(repository, { readData: 'all' })).findings, []);
    restic.run('check', '--read-data', '--no-lock');
    const target = join(folder, 'restored');
    restic.run('restore', 'latest', '--target', target);
    assert.deepEqual(describeTree(join(target, tree)), describeTree(tree));
    rmSync(target, { recursive: true });
  }
  assert.ok(hits >= 2, `${hits} of ${kills} kills hit a prune`);
});
