import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { seededRandom, systemRandom } from '#base';
import { SmallDisk } from '../../src/storage/testing/small-disk.ts';
import { holdfast, makeRepository, password, startHoldfast } from '../command/holdfast.ts';
import { Restic } from '../servers/restic.ts';
import { describeTree } from '../trees/describe-tree.ts';

const MiB = 1024 * 1024;
const kills = 6;
/** A backup or restore of the tree takes about so long here; kills are spread over it. */
const longestMs = 900;

let folder: string;
let tree: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-faults-'));
  tree = join(folder, 'tree');
  const random = seededRandom(7);
  for (const sub of ['a', 'b', 'c']) {
    mkdirSync(join(tree, sub), { recursive: true });
    for (let i = 0; i < 40; i++)
      writeFileSync(join(tree, sub, `file-${i}`), random.fill(new Uint8Array(1 + random.below(64 * 1024))));
    writeFileSync(join(tree, sub, 'large'), random.fill(new Uint8Array(12 * MiB)));
  }
});
after(() => rmSync(folder, { recursive: true, force: true }));

async function killed(args: readonly string[], afterMs: number): Promise<boolean> {
  const child = startHoldfast(args);
  child.stdout.resume();
  child.stderr.resume();
  const ended = once(child, 'exit');
  await delay(afterMs);
  child.kill('SIGKILL');
  const [status] = await ended;
  return status === null;
}

test('a backup that is killed at any instant leaves a sound repository, and the next one goes on', async () => {
  const repository = join(folder, 'killed');
  await makeRepository(repository);
  const restic = new Restic({ repository, password, folder });
  const args = ['backup', tree, '-r', repository];
  let hits = 0;
  for (let i = 0; i < kills; i++) {
    if (await killed(args, systemRandom.below(longestMs))) hits++;
    restic.run('unlock', '--remove-all');
    // Packs that no index knows are waste, not damage; restic says so and ends with 0.
    restic.run('check', '--read-data');
  }
  assert.ok(hits > 0, 'no kill hit a running backup');
  const { status, stderr } = holdfast(args);
  assert.equal(status, 0, stderr);
  const target = join(folder, 'after-kills');
  restic.run('restore', 'latest', '--target', target);
  assert.deepEqual(describeTree(join(target, tree)), describeTree(tree));
});

test('a restore that is killed at any instant is completed by the next one', async () => {
  const repository = join(folder, 'killed');
  const target = join(folder, 'restored');
  const args = ['restore', 'latest', '-r', repository, '--target', target];
  let hits = 0;
  for (let i = 0; i < kills; i++) {
    if (i % 2 === 0) rmSync(target, { recursive: true, force: true });
    if (await killed(args, 100 + systemRandom.below(longestMs))) hits++;
  }
  assert.ok(hits > 0, 'no kill hit a running restore');
  const { status, stderr } = holdfast([...args, '--no-lock']);
  assert.equal(status, 0, stderr);
  assert.deepEqual(describeTree(join(target, tree)), describeTree(tree));
  // A lock of a process that is gone does not keep `unlock` from removing it.
  const left = readdirSync(join(repository, 'locks')).length;
  new Restic({ repository, password, folder }).run('unlock');
  assert.ok(readdirSync(join(repository, 'locks')).length === 0 || left === 0);
});

test('SIGINT ends a backup in order: exit code 130, no lock left, nothing lost', async () => {
  const repository = join(folder, 'interrupted');
  await makeRepository(repository);
  const child = startHoldfast(['backup', tree, '-r', repository, '--limit-upload', '256K']);
  child.stdout.resume();
  let said = '';
  child.stderr.on('data', (piece: Buffer) => {
    said += piece.toString();
  });
  const ended = once(child, 'exit');
  while (!existsSync(join(repository, 'locks')) || readdirSync(join(repository, 'locks')).length === 0)
    await delay(20);
  child.kill('SIGINT');
  const [status] = await ended;
  assert.equal(status, 130, said);
  assert.match(said, /interrupted by SIGINT\n {2}hint: /);
  assert.deepEqual(readdirSync(join(repository, 'locks')), []);
  assert.equal(existsSync(join(repository, 'snapshots')), false);
  new Restic({ repository, password, folder }).run('check', '--read-data');
});

test('a full disk fails the backup with a hint, and the snapshots before stay whole', async () => {
  await using disk = await SmallDisk.mountImage(24 * MiB);
  const repository = join(disk.path, 'repository');
  await makeRepository(repository);
  const small = join(tree, 'a/file-1');
  assert.equal(holdfast(['backup', small, '-r', repository]).status, 0);
  const { status, stderr } = holdfast(['backup', tree, '-r', repository]);
  assert.equal(status, 1, stderr);
  assert.match(stderr, /no space|space left|full/i);
  assert.match(stderr, /\n {2}hint: /);
  const restic = new Restic({ repository, password, folder });
  restic.run('check', '--read-data', '--no-lock');
  restic.run('restore', 'latest', '--no-lock', '--target', join(folder, 'from-full'));
  assert.deepEqual(readFileSync(join(folder, 'from-full', small)), readFileSync(small));
});

test('a read-only repository is read with --no-lock, and says why it cannot be written', async () => {
  await using disk = await SmallDisk.mountImage(8 * MiB);
  const repository = join(disk.path, 'repository');
  await makeRepository(repository);
  const small = join(tree, 'a/file-1');
  assert.equal(holdfast(['backup', small, '-r', repository]).status, 0);
  await disk.makeReadOnly();
  const refused = holdfast(['backup', small, '-r', repository]);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /read-only[\s\S]*\n {2}hint: /i);
  const target = join(folder, 'from-read-only');
  const { status, stderr } = holdfast([
    'restore',
    'latest',
    '-r',
    repository,
    '--no-lock',
    '--target',
    target,
  ]);
  assert.equal(status, 0, stderr);
});

test('a read-only target is told before anything is read', async () => {
  await using disk = await SmallDisk.mount(MiB);
  await disk.makeReadOnly();
  const repository = join(folder, 'killed');
  const { status, stderr } = holdfast([
    'restore',
    'latest',
    '-r',
    repository,
    '--target',
    join(disk.path, 'x'),
  ]);
  assert.equal(status, 1);
  assert.match(stderr, /cannot restore to .*read-only[\s\S]*\n {2}hint: /i);
});

test('a target without room is told before anything is written', async () => {
  await using disk = await SmallDisk.mount(4 * MiB);
  const repository = join(folder, 'killed');
  const { status, stderr } = holdfast(['restore', 'latest', '-r', repository, '--target', disk.path]);
  assert.equal(status, 1);
  assert.match(stderr, /not enough room[\s\S]*\n {2}hint: /);
  assert.deepEqual(readdirSync(disk.path), []);
});

test('damaged, foreign and newer repositories are refused with a hint', async () => {
  const damaged = join(folder, 'damaged');
  await makeRepository(damaged);
  rmSync(join(damaged, 'config'));
  writeFileSync(join(damaged, 'config'), 'x'.repeat(155));
  const foreign = join(folder, 'foreign');
  mkdirSync(foreign);
  writeFileSync(join(foreign, 'config'), 'a folder of something else');
  for (const [place, expected] of [
    [damaged, 1],
    [foreign, 1],
  ] as const) {
    const { status, stderr } = holdfast(['snapshots', '-r', place]);
    assert.equal(status, expected, stderr);
    assert.match(stderr, /^holdfast: .*\n {2}hint: /);
  }
  assert.equal(holdfast(['init', '-r', foreign]).status, 1, 'nothing foreign is written over');
});

test('a clock in the past is refused, and --time says that it is meant', async () => {
  const repository = join(folder, 'clock');
  await makeRepository(repository);
  const small = join(tree, 'a/file-1');
  assert.equal(holdfast(['backup', small, '-r', repository, '--time', '2999-01-01']).status, 0);
  const late = holdfast(['backup', small, '-r', repository]);
  assert.equal(late.status, 1);
  assert.match(late.stderr, /ahead of this machine's clock\n {2}hint: /);
  assert.equal(holdfast(['backup', small, '-r', repository, '--time', '2026-01-01']).status, 0);
});

test('two backups at once both succeed; a check waits for neither and is refused', async () => {
  const repository = join(folder, 'both');
  await makeRepository(repository);
  // It runs, and holds its lock, for as long as its standard input is open.
  const slow = startHoldfast(['backup', '--stdin', '-r', repository]);
  slow.stdout.resume();
  slow.stderr.resume();
  const ended = once(slow, 'exit');
  slow.stdin.write('the first half, ');
  while (!existsSync(join(repository, 'locks')) || readdirSync(join(repository, 'locks')).length === 0)
    await delay(20);
  assert.equal(holdfast(['backup', join(tree, 'a'), '-r', repository]).status, 0);
  const refused = holdfast(['check', '-r', repository]);
  assert.equal(refused.status, 11, refused.stdout);
  assert.match(refused.stderr, /the repository is locked .*\n {2}hint: /);
  const restic = new Restic({ repository, password, folder });
  assert.notEqual(restic.try('check').status, 0, 'restic respects our lock');
  slow.stdin.end('and the second');
  const [status] = await ended;
  assert.equal(status, 0);
  restic.run('check', '--read-data');
  assert.equal(restic.run('dump', '--path', '/stdin', 'latest', '/stdin'), 'the first half, and the second');
});

test('a lock of restic is respected as one of ours', async () => {
  const repository = join(folder, 'both');
  const env = { ...process.env, RESTIC_PASSWORD: password };
  const theirs = spawn('restic', ['-r', repository, '--no-cache', 'backup', '--stdin'], { env });
  theirs.stdout.resume();
  theirs.stderr.resume();
  const ended = once(theirs, 'exit');
  while (readdirSync(join(repository, 'locks')).length === 0) await delay(20);
  assert.equal(holdfast(['check', '-r', repository]).status, 11);
  assert.equal(holdfast(['backup', join(tree, 'a/file-1'), '-r', repository]).status, 0);
  theirs.stdin.end('content');
  await ended;
  assert.equal(holdfast(['check', '-r', repository]).status, 0);
});
