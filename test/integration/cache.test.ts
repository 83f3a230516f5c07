import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { holdfast, makeRepository } from '../command/holdfast.ts';

const place = mkdtempSync(join(tmpdir(), 'holdfast-cache-test-'));
const repository = join(place, 'repository');
const home = join(place, 'home');

before(async () => {
  await makeRepository(repository);
  writeFileSync(join(place, 'file'), 'content');
  assert.equal(run('backup', join(place, 'file')).status, 0);
});
after(() => rmSync(place, { recursive: true, force: true }));

function run(...args: string[]) {
  return holdfast([...args, '-r', repository], { env: { HOLDFAST_HOME: home } });
}

/** Names of the files below a folder. */
function filesBelow(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

test('what rests on this machine has no cache of its own accord', () => {
  assert.equal(run('ls', 'latest').status, 0);
  assert.ok(!existsSync(join(home, 'cache')));
});

test('--cache-dir keeps index and snapshots for the owner only; --no-cache keeps nothing', () => {
  const folder = join(place, 'cache');
  assert.equal(run('ls', 'latest', '--cache-dir', folder, '--no-cache').status, 0);
  assert.ok(!existsSync(folder));
  const { status, stderr } = run('ls', 'latest', '--cache-dir', folder);
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  assert.equal(
    filesBelow(folder).filter((path) => /\/(index|snapshots)\/[0-9a-f]{64}$/.test(path)).length,
    2,
  );
  for (const path of [folder, ...filesBelow(folder)]) assert.equal(statSync(path).mode & 0o077, 0, path);
});

test('a cache that cannot be written is told, and the work is done', () => {
  const { status, stdout, stderr } = run('ls', 'latest', '--cache-dir', join(place, 'file', 'cache'));
  assert.equal(status, 0);
  assert.match(stdout, /file/);
  assert.equal(stderr.match(/^warning: no cache: /gm)?.length, 1);
});
