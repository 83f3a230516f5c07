import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { initRepository } from '#repository';
import { Restic } from '../servers/restic.ts';

const launcher = join(import.meta.dirname, '../../bin/holdfast');
const password = 'commands';
let folder: string;
let tree: string;
let location: string;
let restic: Restic;
/** Ids of the two snapshots. */
let ids: string[];

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-commands-'));
  tree = join(folder, 'tree');
  mkdirSync(join(tree, 'sub'), { recursive: true });
  writeFileSync(join(tree, 'sub', 'orders.sql'), 'select 1;\n');
  writeFileSync(join(tree, 'big'), Buffer.alloc(3_000_000, 'big '));
  symlinkSync('big', join(tree, 'link'));
  location = join(folder, 'repository');
  restic = new Restic({ repository: location, password, folder });
  // A cheap key: each command here opens the repository.
  await initRepository({ storage: location, password, kdf: { N: 1024, r: 8, p: 1 } });
  restic.run('backup', tree);
  writeFileSync(join(tree, 'sub', 'orders.sql'), 'select 2;\n');
  writeFileSync(join(tree, 'new'), 'new');
  rmSync(join(tree, 'link'));
  restic.run('backup', tree);
  ids = JSON.parse(restic.run('snapshots', '--json')).map(({ id }: { id: string }) => id);
  assert.equal(ids.length, 2);
});
after(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

function run(...args: string[]): Ended {
  const env = { ...process.env, HOLDFAST_PASSWORD: password, HOLDFAST_REPOSITORY: location };
  const { status, stdout, stderr } = spawnSync(launcher, args, {
    encoding: 'utf8',
    env,
    maxBuffer: 64 * 1024 * 1024,
  });
  return { status, stdout, stderr };
}

function succeed(...args: string[]): string {
  const { status, stdout, stderr } = run(...args);
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  return stdout;
}

const objects = (output: string): Record<string, unknown>[] =>
  output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

test('ls lists everything, or one folder, or what is below it', () => {
  assert.ok(
    succeed('ls', 'latest', '--quiet')
      .split('\n')
      .includes(join(tree, 'sub', 'orders.sql')),
  );
  assert.deepEqual(succeed('ls', `latest:${tree}`, '--quiet').trim().split('\n'), [
    join(tree, 'big'),
    join(tree, 'new'),
    join(tree, 'sub'),
  ]);
  assert.match(succeed('ls', `latest:${tree}`, '-R'), /orders\.sql/);
  assert.match(succeed('ls', `${ids[0]}:${tree}`, '--long'), /lrwxrwxrwx .* 0 .*link -> big\n/);
});

test('ls --json tells what restic tells of each entry', () => {
  const [snapshot, ...ours] = objects(succeed('ls', 'latest', '--json'));
  const [theirSnapshot, ...theirs] = objects(restic.run('ls', '--json', 'latest'));
  assert.equal(snapshot!.id, theirSnapshot!.id);
  assert.equal(ours.length, theirs.length);
  for (const [i, theirNode] of theirs.entries()) {
    const node = ours[i]!;
    for (const key of ['name', 'type', 'path', 'uid', 'gid', 'size', 'mode', 'permissions', 'struct_type'])
      assert.equal(node[key], theirNode[key], `${key} of ${theirNode.path}`);
    for (const key of ['mtime', 'atime', 'ctime'])
      assert.equal(plainTime(node[key]), plainTime(theirNode[key]), `${key} of ${theirNode.path}`);
  }
});

/** Without the zeros at the end of the fraction, which Go leaves out. */
function plainTime(time: unknown): string {
  return String(time).replace(/\.?0*Z$/, 'Z');
}

test('ls says what is not there', () => {
  const { status, stderr } = run('ls', 'latest:/nowhere');
  assert.equal(status, 1);
  assert.match(stderr, /has no \/nowhere\n {2}hint: List what is there with `holdfast ls/);
  assert.equal(run('ls', 'ffff').status, 1);
  assert.equal(run('ls').status, 2);
});

test('find tells in which snapshots a file is, as restic does', () => {
  const ours = JSON.parse(succeed('find', '*.sql', '--json'));
  const theirs = JSON.parse(restic.run('find', '--json', '*.sql'));
  const plain = (list: { snapshot: string; hits: number; matches: { path: string }[] }[]) =>
    list
      .map(({ snapshot, hits, matches }) => ({ snapshot, hits, paths: matches.map(({ path }) => path) }))
      .sort((a, b) => (a.snapshot < b.snapshot ? -1 : 1));
  assert.deepEqual(plain(ours), plain(theirs));
  assert.equal(ours.length, 2);
  assert.match(succeed('find', 'link'), new RegExp(`^snapshot ${ids[0]!.slice(0, 8)} at .*\n/.*/link\n$`));
  assert.equal(succeed('find', '--snapshot', ids[1]!, 'link', '--quiet'), '');
  assert.equal(run('find', '[').status, 2);
  assert.equal(run('find', '--blob', '--tree', 'ab').status, 2);
});

test('find --pack tells which files need a pack', () => {
  const packs = readdirSync(join(location, 'data'), { recursive: true, encoding: 'utf8' })
    .map((name) => name.slice(3))
    .filter((name) => name.length === 64);
  const found = JSON.parse(succeed('find', '--pack', ...packs, '--json'));
  const types = new Set(found.map(({ object_type }: { object_type: string }) => object_type));
  assert.deepEqual([...types].sort(), ['blob', 'tree']);
  assert.ok(found.some(({ path }: { path: string }) => path === join(tree, 'new')));
});

test('diff tells what restic tells', () => {
  for (const more of [[], ['--metadata']]) {
    const ours = objects(succeed('diff', ids[0]!, ids[1]!, '--json', ...more));
    const theirs = objects(restic.run('diff', '--json', ...more, ids[0]!, ids[1]!));
    assert.deepEqual(ours, theirs);
  }
  const text = succeed('diff', ids[0]!, 'latest');
  for (const line of [`+    ${tree}/new`, `M    ${tree}/sub/orders.sql`, `-    ${tree}/link`])
    assert.ok(text.includes(`\n${line}\n`), line);
  assert.match(text, /\n1 file changed\nadded: {3}1 file, 0 folders, /);
});

test('stats counts what restic counts', () => {
  for (const mode of ['restore-size', 'files-by-contents', 'blobs-per-file', 'raw-data']) {
    const [ours] = objects(succeed('stats', '--mode', mode, '--json'));
    const [theirs] = objects(restic.run('stats', '--mode', mode, '--json'));
    for (const [key, value] of Object.entries(theirs!)) assert.equal(ours![key], value, `${key}, ${mode}`);
  }
  assert.match(succeed('stats', 'latest'), /^1 snapshot, restore-size\n\d+ entries\n2\.86 MiB\n$/);
});

test('stats --added-alone tells what forgetting one snapshot would free', () => {
  const list = JSON.parse(succeed('stats', '--added-alone', '--json'));
  assert.deepEqual(
    list.map(({ snapshot }: { snapshot: string }) => snapshot),
    ids,
  );
  for (const one of list) assert.ok(one.added_alone_size > 0 && one.added_alone_blob_count > 2);
  assert.match(succeed('stats', '--added-alone'), /Blobs alone {2}Size alone/);
});

test('dump writes a file to standard output, and a folder as a tar', () => {
  assert.equal(succeed('dump', `${ids[0]}:${join(tree, 'sub', 'orders.sql')}`), 'select 1;\n');
  assert.equal(succeed('dump', `latest:${join(tree, 'big')}`), readFileSync(join(tree, 'big'), 'utf8'));
  const target = join(folder, 'unpacked');
  mkdirSync(target);
  const env = { ...process.env, HOLDFAST_PASSWORD: password };
  execFileSync(
    'sh',
    ['-c', '"$0" -r "$1" dump "latest:$2" | tar -xp -C "$3"', launcher, location, tree, target],
    { env },
  );
  assert.equal(readFileSync(join(target, tree, 'sub', 'orders.sql'), 'utf8'), 'select 2;\n');
});

test('dump --target writes the file and its sum, which sha256sum checks', () => {
  const target = join(folder, 'tree.zip');
  succeed('dump', `latest:${tree}`, '--archive', 'zip', '--target', target);
  execFileSync('sha256sum', ['--check', '--quiet', 'tree.zip.sha256'], { cwd: folder });
  execFileSync('python3', ['-m', 'zipfile', '-t', target], { stdio: 'pipe' });
  const { status, stderr } = run('dump', `latest:${tree}`, '--target', join(folder, 'no', 'where.tar'));
  assert.equal(status, 1);
  assert.match(stderr, /hint: Name a file in a folder that is there/);
});

test('dump --target leaves nothing when a part cannot be read', () => {
  const copy = join(folder, 'broken');
  execFileSync('cp', ['-a', location, copy]);
  const packs = readdirSync(join(copy, 'data'), { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.length > 64,
  );
  for (const pack of packs) writeFileSync(join(copy, 'data', pack), '', { flag: 'w', mode: 0o600 });
  const target = join(folder, 'broken.tar');
  const { status } = run('-r', copy, 'dump', `latest:${tree}`, '--target', target);
  assert.equal(status, 1);
  assert.ok(!existsSync(target) && !existsSync(`${target}.part`));
  const listed = run('-r', copy, 'ls', 'latest');
  assert.equal(listed.status, 3, 'a folder that cannot be read makes a partial answer');
  assert.match(listed.stderr, /^error: \/: .* is damaged\n$/);
});

test('dump refuses what is neither file nor folder, and a snapshot without a path', () => {
  assert.match(run('dump', `${ids[0]}:${join(tree, 'link')}`).stderr, /neither a file nor a folder/);
  assert.equal(run('dump', 'latest').status, 2);
});
