import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { initRepository, inlineExecutor, type Repository, type StoredSnapshot } from '#repository';
import { FolderTarget, filesSource } from '#sources';
import { backup } from './backup.ts';
import type { Problem } from './outcome.ts';
import { restore } from './restore.ts';
import { verifyRestored } from './verify-restored.ts';

let root: string;
let tree: string;
let repository: Repository;
let snapshot: StoredSnapshot;

before(async () => {
  root = fs.mkdtempSync(join(tmpdir(), 'holdfast-verify-'));
  tree = join(root, 'tree');
  fs.mkdirSync(join(tree, 'd'), { recursive: true });
  for (const name of ['a', 'b', 'd/c', 'd/e', 'empty'])
    fs.writeFileSync(join(tree, name), name === 'empty' ? '' : `${name} content`);
  fs.linkSync(join(tree, 'a'), join(tree, 'd/a too'));
  fs.writeFileSync(join(tree, 'large'), Buffer.alloc(3_000_000, 'large '));
  const kdf = { N: 1024, r: 8, p: 1 };
  repository = await initRepository({
    storage: join(root, 'repository'),
    password: 'x',
    kdf,
    executor: inlineExecutor(),
  });
  snapshot = (await backup({ repository, source: filesSource({ paths: [tree] }) })).snapshot!;
});
after(() => fs.rmSync(root, { recursive: true, force: true }));

/** Restores, lets something happen to the files, and reads them back as the restore would have. */
async function verifyAfter(harm: (path: string) => void) {
  const path = fs.mkdtempSync(join(root, 'target-'));
  const request = { repository, snapshot, path: tree };
  assert.equal((await restore({ ...request, target: path })).state, 'succeeded');
  harm(path);
  const problems: Problem[] = [];
  const note = (problem: Problem) => problems.push(problem);
  const target = new FolderTarget({ path, resumeKey: 'x', onProblem: note });
  target.begin();
  const progress = { bytesVerified: 0 };
  const counts = await verifyRestored({ request, target, progress, note });
  target.close();
  const said = problems.map(
    (problem) => `${problem.gravity} ${problem.path.replace(tree, '')}: ${problem.error.message}`,
  );
  return { counts, said, progress };
}

const sizeBytes = 9 + 9 + 11 + 11 + 3_000_000;

test('what is as it was is counted, a file with two names once', async () => {
  const { counts, said, progress } = await verifyAfter(() => {});
  assert.deepEqual([counts, said], [{ files: 6, sizeBytes }, []]);
  assert.equal(progress.bytesVerified, sizeBytes);
});

test('a flipped byte, a cut, a longer, an absent and a replaced file are lost, each with its reason', async () => {
  const { counts, said } = await verifyAfter((path) => {
    const fd = fs.openSync(join(path, 'large'), 'r+');
    fs.writeSync(fd, '!', 2_000_000);
    fs.closeSync(fd);
    fs.truncateSync(join(path, 'b'), 3);
    fs.appendFileSync(join(path, 'empty'), '.');
    fs.rmSync(join(path, 'd/c'));
    fs.rmSync(join(path, 'd/e'));
    fs.symlinkSync(join(tree, 'd/e'), join(path, 'd/e'));
  });
  assert.equal(counts.files, 1);
  assert.equal(said.length, 5);
  assert.match(said[0]!, /^lost \/b: read back: it has 3 bytes, the snapshot 9$/);
  assert.match(said[1]!, /^lost \/d\/c: read back: it is not there$/);
  assert.match(said[2]!, /^lost \/d\/e: read back: ELOOP/);
  assert.match(said[3]!, /^lost \/empty: read back: it has 1 bytes, the snapshot 0$/);
  assert.match(said[4]!, /^lost \/large: read back: it differs from the snapshot within bytes \d+ to \d+$/);
});

test('leaves the times of the files alone', async () => {
  let path = '';
  await verifyAfter((target) => {
    path = target;
    fs.utimesSync(join(path, 'large'), 1, 2);
  });
  const { atimeMs, mtimeMs } = fs.statSync(join(path, 'large'));
  assert.deepEqual([atimeMs, mtimeMs], [1000, 2000]);
});
