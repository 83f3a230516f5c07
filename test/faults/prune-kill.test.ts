import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { seededRandom } from '#base';
import {
  checkRepository,
  initRepository,
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
/** About how long the pruning takes here; kills are spread over it. */
const longestMs = 1500;
let folder: string;
let tree: string;
let origin: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-prune-kill-'));
  tree = join(folder, 'tree');
  origin = join(folder, 'origin');
  mkdirSync(tree);
  const random = seededRandom(31);
  const repository = await initRepository({ storage: origin, password, kdf: { N: 1024, r: 8, p: 1 } });
  for (let step = 0; step < 4; step++) {
    for (let i = 0; i < 60; i++)
      if (i % 4 >= step) writeFileSync(join(tree, `f${i}`), random.fill(new Uint8Array(300_000)));
    await backup({ repository, source: filesSource({ paths: [tree] }) });
  }
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** Returns whether the process died of the kill. */
async function killPrune(location: string, afterMs: number): Promise<boolean> {
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
  await delay(afterMs);
  child.kill('SIGKILL');
  const [status, signal] = await ended;
  assert.ok(status === 0 || signal === 'SIGKILL');
  return signal === 'SIGKILL';
}

test('a prune that is killed at any instant leaves a sound repository, and the next one goes on', async () => {
  let hits = 0;
  for (let kill = 0; kill < kills; kill++) {
    const location = join(folder, `killed-${kill}`);
    cpSync(origin, location, { recursive: true });
    if (await killPrune(location, (longestMs * kill) / kills)) hits++;
    const restic = new Restic({ repository: location, password, folder });
    restic.run('unlock', '--remove-all');
    restic.run('check', '--read-data');
    const repository = await openRepository({ storage: location, password });
    await removeAllLocks(repository);
    const report = await pruneRepository(repository, { graceMs: 0, maxUnused: { percent: 0 } });
    assert.deepEqual([report.snapshots, report.unusedBytes], [1, 0]);
    assert.deepEqual((await checkRepository(repository, { readData: 'all' })).findings, []);
    restic.run('check', '--read-data');
    const target = join(folder, 'restored');
    restic.run('restore', 'latest', '--target', target);
    assert.deepEqual(describeTree(join(target, tree)), describeTree(tree));
    rmSync(target, { recursive: true });
  }
  assert.ok(hits >= 2, `${hits} of ${kills} kills hit a prune`);
});
