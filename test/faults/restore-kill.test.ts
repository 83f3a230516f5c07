import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { systemClock, systemRandom } from '#base';
import { initRepository } from '#repository';
import { filesSource } from '#sources';
import { backup, restore } from '#workflows';
import { describeTree } from '../trees/describe-tree.ts';
import { makeNastyTree } from '../trees/nasty-tree.ts';

const worker = join(import.meta.dirname, '../../src/workflows/testing/restore-worker.ts');
const kills = 5;
const root = mkdtempSync(join(tmpdir(), 'holdfast-kill-'));
after(() => rmSync(root, { recursive: true, force: true }));

/** Starts a restore and kills it some time after it has begun. */
async function restoreUntilKilled(args: string[], afterMs: number): Promise<void> {
  const child = spawn(process.execPath, [...process.execArgv, worker, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = new Promise((resolve) => child.once('close', resolve));
  child.stdout.once('data', () => void systemClock.sleep(afterMs).then(() => child.kill('SIGKILL')));
  await closed;
}

test('a restore that is killed at any instant is completed by the next', async () => {
  const tree = join(root, 'tree');
  makeNastyTree(tree, { depth: 20, sizes: [0, 1, 4096, 600_000, 9_000_000] });
  const storage = join(root, 'repository');
  const repository = await initRepository({ storage, password: 'kill', kdf: { N: 1024, r: 8, p: 1 } });
  const { snapshot } = await backup({ repository, source: filesSource({ paths: [tree] }) });
  const { '': _tree, ...wanted } = describeTree(tree);
  let partials = 0;
  for (let i = 0; i < kills; i++) {
    const target = join(root, `target-${i}`);
    await restoreUntilKilled([storage, tree, target], 30 + systemRandom.below(500));
    if (existsSync(target))
      partials += readdirSync(target, { recursive: true, encoding: 'latin1' }).filter((name) =>
        name.includes('.holdfast-'),
      ).length;
    const { state, problems } = await restore({ repository, snapshot: snapshot!, path: tree, target });
    assert.deepEqual([state, problems], ['succeeded', []]);
    const { '': _target, ...found } = describeTree(target);
    assert.deepEqual(found, wanted);
    rmSync(target, { recursive: true });
  }
  assert(partials > 0, 'no kill hit a file that was being written');
});
