import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, createWriteStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { after, before, test } from 'node:test';
import {
  archiveOf,
  type BlobId,
  initRepository,
  openRepository,
  type Repository,
  type StoredSnapshot,
} from '#repository';
import { filesSource } from '#sources';
import { backup } from '#workflows';
import { requireProgram } from '../servers/debian.ts';
import { describeTree } from '../trees/describe-tree.ts';
import { makeNastyTree } from '../trees/nasty-tree.ts';

const password = 'archive';
let folder: string;
let tree: string;
let repository: Repository;
let snapshot: StoredSnapshot;
let original: Record<string, string>;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-archive-'));
  tree = join(folder, 'tree');
  makeNastyTree(tree, { depth: 60, sizes: [0, 1, 511, 512, 513, 600_000, 9_000_000] });
  mkdirSync(join(tree, 'l'.repeat(200), 'm'.repeat(200)), { recursive: true });
  writeFileSync(join(tree, 'l'.repeat(200), 'm'.repeat(200), 'far'), 'far');
  original = describeTree(tree);
  const storage = join(folder, 'repository');
  repository = await initRepository({ storage, password, kdf: { N: 1024, r: 8, p: 1 } });
  const { state } = await backup({ repository, source: filesSource({ paths: [tree] }) });
  assert.equal(state, 'succeeded');
  snapshot = await repository.findSnapshot('latest');
});
after(async () => {
  await repository?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Writes an archive and gives its place, and what was left out of it. */
async function save(format: 'tar' | 'zip', path = tree): Promise<{ file: string; leftOut: string[] }> {
  const file = join(folder, `archive.${format}`);
  const leftOut: string[] = [];
  const archive = archiveOf(repository, snapshot, path, { format, onLeftOut: (one) => leftOut.push(one) });
  await pipeline(archive, createWriteStream(file));
  return { file, leftOut };
}

test('GNU tar unpacks what restic restores: every byte and every fact', async () => {
  const { file, leftOut } = await save('tar');
  assert.deepEqual(leftOut, []);
  const target = join(folder, 'by-tar');
  mkdirSync(target);
  const run = spawnSync(
    'tar',
    ['-xpf', file, '-C', target, '--xattrs', '--xattrs-include=*', '--numeric-owner', '--same-owner'],
    { encoding: 'utf8' },
  );
  assert.deepEqual({ status: run.status, stderr: run.stderr }, { status: 0, stderr: '' });
  assert.deepEqual(describeTree(join(target, tree)), original);
});

test('bsdtar unpacks it too, all but access lists, which it looks for elsewhere', async () => {
  const { file } = await save('tar');
  const target = join(folder, 'by-bsdtar');
  mkdirSync(target);
  const run = spawnSync(requireProgram('bsdtar'), ['-xpf', file, '-C', target, '--numeric-owner'], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
  });
  assert.deepEqual({ status: run.status, stderr: run.stderr }, { status: 0, stderr: '' });
  const withoutAcls = (facts: Record<string, string>) =>
    Object.entries(facts).map(([path, text]) => [
      path,
      text.split(/,? /).filter((part) => !part.startsWith('system.posix_acl_')),
    ]);
  assert.deepEqual(withoutAcls(describeTree(join(target, tree))), withoutAcls(original));
});

/** Prints what Python finds in a zip: names as latin1, modes in octal, hashes of contents. */
const zipReader = `
import hashlib, json, sys, zipfile
facts = {}
for info in zipfile.ZipFile(sys.argv[1]).infolist():
    name = info.orig_filename.encode('utf8' if info.flag_bits & 0x800 else 'cp437').decode('latin1')
    mode = info.external_attr >> 16
    content = zipfile.ZipFile(sys.argv[1]).read(info)
    facts['/' + name.rstrip('/')] = [oct(mode)[2:], len(content), hashlib.sha256(content).hexdigest()[:16]]
print(json.dumps(facts))
`;

test('Python reads names, modes and contents of the zip', async () => {
  const { file, leftOut } = await save('zip');
  const left = ['/kinds/block', '/kinds/character', '/kinds/fifo'];
  assert.deepEqual(leftOut.map((path) => path.slice(tree.length)).sort(), left);
  const output = execFileSync('python3', ['-c', zipReader, file], { encoding: 'utf8' });
  const read: Record<string, [mode: string, size: number, hash: string]> = JSON.parse(output);
  const wanted = Object.entries(original).filter(([path]) => !left.includes(path));
  assert.equal(Object.keys(read).length, wanted.length);
  for (const [path, facts] of wanted) {
    const [mode, size, hash] = read[`${tree}${path}`]!;
    assert.ok(facts.startsWith(`mode ${mode},`), path);
    if (facts.includes(', size ')) assert.ok(facts.includes(`size ${size}, ${hash}`), path);
  }
});

test('unzip unpacks the zip with modes, owners and whole seconds', async () => {
  const { file } = await save('zip', join(tree, 'kinds'));
  const target = join(folder, 'by-zip');
  execFileSync(requireProgram('unzip'), ['-qq', '-X', '-K', file, '-d', target], { stdio: 'pipe' });
  const kinds = describeTree(join(target, tree, 'kinds'));
  for (const path of ['/file', '/mode-444', '/mode-4755', '/mode-2755', '/mode-1777', '/mode-0']) {
    const facts = original[`/kinds${path}`]!.replace(/(mtime \d+)\d{9}/, '$1000000000');
    assert.ok(facts.startsWith(kinds[path]!), path);
  }
  assert.match(kinds['/dangling']!, /-> \/nowhere\/at all/);
});

test('packs a single file, and everything', async () => {
  const one = await save('tar', join(tree, 'kinds', 'file'));
  const listed = execFileSync('tar', ['-tf', one.file], { encoding: 'utf8' });
  assert.equal(listed, `${join(tree, 'kinds', 'file').slice(1)}\n`);
  const all = await save('tar', '/');
  const names = execFileSync('tar', ['-tf', all.file], { encoding: 'utf8' }).split('\n');
  assert.equal(names.length - 1, Object.keys(original).length + tree.split('/').length - 2);
});

for (const format of ['tar', 'zip'] as const) {
  for (const part of ['file', 'folder'] as const) {
    test(`breaks a ${format} off where a part of a ${part} is missing`, async () => {
      const storage = join(folder, `broken-${format}-${part}`);
      cpSync(join(folder, 'repository'), storage, { recursive: true });
      const index = await repository.index();
      const node = (await repository.findNode(snapshot, join(tree, 'sizes', 'random-9000000')))!;
      const place = index.places(...blobOf(part, node.content!.at(-1)!))[0]!;
      const pack = index.packs.idOf(place.pack);
      rmSync(join(storage, 'data', pack.slice(0, 2), pack));
      const broken = await openRepository({ storage, password });
      const file = join(folder, `broken.${format}`);
      const archive = archiveOf(broken, snapshot, '/', { format });
      await assert.rejects(pipeline(archive, createWriteStream(file)), { code: 'repository.damaged' });
      const [program, ...args] = format === 'tar' ? ['tar', '-tvf'] : ['unzip', '-tqq'];
      const run = spawnSync(program!, [...args, file]);
      assert.ok(run.status !== 0 || run.stdout.length === 0, 'nobody takes it for a whole archive');
    });
  }
}

/** What is taken away: the end of a file's content, or the root folder. */
function blobOf(part: 'file' | 'folder', content: BlobId): ['data' | 'tree', BlobId] {
  return part === 'file' ? ['data', content] : ['tree', snapshot.tree];
}

test('stops when its reader does', async () => {
  for (const format of ['tar', 'zip'] as const) {
    let count = 0;
    for await (const _ of archiveOf(repository, snapshot, tree, { format })) if (++count > 3) break;
    assert.equal(count, 4);
  }
});
