import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { systemRandom } from '#base';
import { holdfast, jsonLines, makeRepository } from '../command/holdfast.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-quota-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('the command warns of a repository that is nearly full, and begins nothing in a full one', async () => {
  const [repository, source] = ['repository', 'source'].map((name) => join(folder, name)) as [string, string];
  await makeRepository(repository);
  mkdirSync(source);
  const addMiB = (name: string) =>
    writeFileSync(join(source, name), systemRandom.fill(new Uint8Array(1024 * 1024)));
  const backUp = () => holdfast(['backup', '-r', repository, source, '--quota', '1.2M']);
  addMiB('one');
  const first = backUp();
  assert.deepEqual([first.status, first.stderr], [0, '']);
  addMiB('two');
  const second = backUp();
  assert.equal(second.status, 0);
  assert.match(
    second.stderr,
    /^warning: the repository is nearly full: 1\.\d\d MiB of 1\.20 MiB \(8\d %\)$/m,
  );
  const third = backUp();
  assert.equal(third.status, 1);
  assert.match(
    third.stderr,
    /^holdfast: the repository is full: 2\.\d\d MiB of 1\.20 MiB \(1\d\d %\)\n {2}hint: Forget/,
  );
  const listed = holdfast(['snapshots', '-r', repository, '--json']);
  assert.equal(jsonLines(listed.stdout).flat().length, 2);
  rmSync(join(source, 'one'));
  addMiB('three');
  assert.equal(holdfast(['backup', '-r', repository, source]).status, 0);
  const forgetting = ['--quota', '3M', '--when-full', 'forget', '--keep-last', '1'];
  const fourth = holdfast(['backup', '-r', repository, source, ...forgetting]);
  assert.deepEqual([fourth.status, fourth.stdout.match(/^forgot {3}\w{8} of /gm)?.length], [0, 2]);
  const told =
    'warning: the repository was full: 2 snapshots forgotten, 1.0\\d MiB freed; now 2.0\\d MiB of 3.00 MiB';
  assert.match(fourth.stderr, new RegExp(`^${told} \\(6\\d %\\)\n$`));
  assert.equal(holdfast(['check', '-r', repository]).status, 0);
  assert.equal(holdfast(['backup', '-r', repository, source, '--keep-last', '1']).status, 2);
});
