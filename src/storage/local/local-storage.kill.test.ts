import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { collect, systemClock, systemRandom } from '#base';
import { temporaryFolder } from '../testing/temporary-folder.ts';
import { LocalStorage } from './local-storage.ts';

const writer = join(import.meta.dirname, '../testing/write-worker.ts');
const kills = 12;

test('a writer that is killed at any instant leaves only whole files', async () => {
  const root = await temporaryFolder();
  const storage = new LocalStorage(root);
  let unfinishedCount = 0;
  for (let i = 0; i < kills; i++) {
    const acknowledged = await writeUntilKilled(root, systemRandom.below(40));
    const listed = new Set<string>();
    for await (const { name } of storage.list('')) {
      listed.add(name);
      await assertWhole(storage, name);
    }
    for (const name of acknowledged) assert(listed.has(name), `${name} was acknowledged and is lost`);
    for (const name of listed) if (name !== 'latest') await storage.delete(name);
    unfinishedCount += await storage.removeUnfinished(new Date(systemClock.nowMs() + 1000));
  }
  assert(unfinishedCount > 0, 'no kill hit a write');
  assert.equal(await storage.removeUnfinished(new Date(systemClock.nowMs() + 1000)), 0);
});

/** Returns the names whose writes were resolved. */
async function writeUntilKilled(root: string, afterMs: number): Promise<string[]> {
  const child = spawn(process.execPath, [...process.execArgv, writer, root], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const names: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    if (names.push(line) > 1) continue;
    void systemClock.sleep(afterMs).then(() => child.kill('SIGKILL'));
  }
  assert(names.length > 0, 'the writer wrote nothing');
  return names;
}

async function assertWhole(storage: LocalStorage, name: string): Promise<void> {
  const bytes = await collect(storage.read(name));
  const content = name === 'latest' ? bytes.subarray(0, -32) : bytes;
  const expected = name === 'latest' ? Buffer.from(bytes.subarray(-32)).toString('hex') : name.slice(-64);
  assert.equal(createHash('sha256').update(content).digest('hex'), expected, `${name} is visible in part`);
}
