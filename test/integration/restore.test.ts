import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, suite, test } from 'node:test';
import { seededRandom } from '#base';
import { initRepository, openRepository, type Repository, type StoredSnapshot } from '#repository';
import { filesSource } from '#sources';
import { openStorage, type Storage } from '#storage';
import { backup, previewRestore, type RestoreRequest, restore } from '#workflows';
import { SmallDisk } from '../../src/storage/testing/small-disk.ts';
import { describeTree } from '../trees/describe-tree.ts';

const password = 'restore';
const KiB = 1024;
const MiB = 1024 * KiB;
let root: string;
let tree: string;
let location: string;
let repository: Repository;
let snapshot: StoredSnapshot;
let original: Record<string, string>;
let target: string;

before(async () => {
  root = fs.mkdtempSync(join(tmpdir(), 'holdfast-restore-'));
  tree = join(root, 'tree');
  location = join(root, 'repository');
  const random = seededRandom(7);
  for (const folder of ['many', 'large/below', 'empty'])
    fs.mkdirSync(join(tree, folder), { recursive: true });
  for (let i = 0; i < 60; i++)
    fs.writeFileSync(join(tree, 'many', `f${i}`), random.fill(new Uint8Array(100 * KiB)));
  for (const name of ['a', 'below/b'])
    fs.writeFileSync(join(tree, 'large', name), random.fill(new Uint8Array(6 * MiB)));
  fs.linkSync(join(tree, 'large/a'), join(tree, 'large/below/same as a'));
  fs.symlinkSync('a', join(tree, 'large/link'));
  fs.writeFileSync(join(tree, 'holes'), 'x');
  fs.truncateSync(join(tree, 'holes'), 40 * MiB);
  repository = await initRepository({ storage: location, password, kdf: { N: 1024, r: 8, p: 1 } });
  const saved = await backup({ repository, source: filesSource({ paths: [tree] }) });
  assert.equal(saved.state, 'succeeded');
  snapshot = saved.snapshot!;
  original = contentOf(tree);
});
after(() => fs.rmSync(root, { recursive: true, force: true }));
beforeEach(() => {
  target = join(fs.mkdtempSync(join(root, 'target-')), 'new');
});

/** All below a folder; the folder itself is the target's own. */
function contentOf(path: string): Record<string, string> {
  const { '': _, ...content } = describeTree(path);
  return content;
}

const restoreTree = (more: Partial<RestoreRequest> = {}) =>
  restore({ repository, snapshot, path: tree, target, ...more });

/** The repository again, through a storage that counts what is read of packs, and may be told when to stop. */
async function countedRepository(onRead: (reads: number) => void = () => {}) {
  const counts = { reads: 0, bytes: 0 };
  const real = openStorage(location);
  const storage = new Proxy(await real, {
    get(inner, key) {
      const value: unknown = Reflect.get(inner, key, inner);
      if (typeof value !== 'function') return value;
      if (key !== 'read') return value.bind(inner);
      return (...[name, range, options]: Parameters<Storage['read']>) => {
        if (name.startsWith('data/')) {
          onRead(++counts.reads);
          counts.bytes += range?.length ?? 0;
        }
        return inner.read(name, range, options);
      };
    },
  });
  return { counts, repository: await openRepository({ storage, password }) };
}

test('a restore is complete, and a second one finds nothing to do', async () => {
  const first = await restoreTree({ verify: true });
  assert.deepEqual([first.state, first.problems], ['succeeded', []]);
  assert.deepEqual(contentOf(target), original);
  assert.equal(first.progress.bytesDone, first.progress.bytesTotal);
  assert.equal(first.progress.bytesTotal, 60 * 100 * KiB + 12 * MiB + 40 * MiB);
  assert.deepEqual(first.verified, { files: 60 + 2 + 1, sizeBytes: first.progress.bytesTotal });
  const counted = await countedRepository();
  await counted.repository.findSnapshot(snapshot.id);
  const before = counted.counts.bytes;
  const second = await restoreTree({ repository: counted.repository });
  assert.deepEqual([second.state, second.summary.files, second.summary.unchanged], ['succeeded', 0, 65]);
  assert(counted.counts.bytes - before < 2 * MiB, 'only trees are read');
  assert.deepEqual(contentOf(target), original);
});

test('an interrupted restore is completed, and what is right already is not fetched again', async () => {
  const path = join(tree, 'large');
  let resumedBytes = 0;
  for (let instant = 8, isCut = true; isCut; instant++) {
    target = join(root, `cut-${instant}`);
    const stop = new AbortController();
    const cut = await countedRepository((reads) => {
      if (reads === instant) stop.abort(new Error('cut'));
    });
    isCut = await restoreTree({ repository: cut.repository, path, signal: stop.signal }).then(
      () => false,
      (error: Error) => /cut/.test(error.message),
    );
    const { counts, repository: counted } = await countedRepository();
    const { state, problems, progress } = await restoreTree({ repository: counted, path, verify: true });
    assert.deepEqual([state, problems], ['succeeded', []]);
    assert.equal(progress.bytesDone, progress.bytesTotal);
    assert(
      counts.bytes < progress.bytesTotal - progress.bytesResumed + 2 * MiB,
      'more was fetched than is missing',
    );
    assert.deepEqual(contentOf(target), contentOf(path));
    resumedBytes += progress.bytesResumed;
  }
  assert(resumedBytes > 0, 'nothing was taken over');
});

test('what an interrupted restore left wrong is put right', async () => {
  const stop = new AbortController();
  const cut = await countedRepository((reads) => {
    if (reads === 8) stop.abort(new Error('cut'));
  });
  await assert.rejects(restoreTree({ repository: cut.repository, signal: stop.signal }), /cut/);
  for (const name of fs.readdirSync(target, { recursive: true, encoding: 'utf8' })) {
    const path = join(target, name);
    if (!name.includes('.holdfast-')) continue;
    const fd = fs.openSync(path, 'r+');
    fs.writeSync(fd, 'WRONG', 1000);
    // Longer than it is to be.
    fs.writeSync(fd, 'TOO LONG', 41 * MiB);
    fs.closeSync(fd);
  }
  const again = await restoreTree();
  assert.deepEqual([again.state, again.problems], ['succeeded', []]);
  assert.deepEqual(contentOf(target), original);
});

suite('holes', () => {
  test('are written sparse when asked, and need no room', async () => {
    await using disk = await SmallDisk.mount(30 * MiB);
    const { state, problems } = await restoreTree({ target: disk.path, isSparse: true });
    assert.deepEqual([state, problems], ['succeeded', []]);
    assert(fs.lstatSync(join(disk.path, 'holes')).blocks * 512 < MiB);
    assert.deepEqual(contentOf(disk.path), original);
  });
});

suite('room', () => {
  test('that is not there shows before anything is written', async () => {
    await using disk = await SmallDisk.mount(30 * MiB);
    await assert.rejects(restoreTree({ target: disk.path }), { code: 'sources.no-space', exitCode: 1 });
    assert.deepEqual(fs.readdirSync(disk.path), []);
  });

  test('for names counts too', async () => {
    await using disk = await SmallDisk.mount(100 * MiB);
    execFileSync('mount', ['-o', 'remount,nr_inodes=20', disk.path]);
    await assert.rejects(restoreTree({ target: disk.path }), /files to make/);
    assert.deepEqual(fs.readdirSync(disk.path), []);
  });

  for (const [what, path] of [
    ['small files', 'many'],
    ['large files', 'large'],
  ] as const)
    test(`that runs out in the middle stops the restore (${what}); with more of it the same restore completes`, async () => {
      await using disk = await SmallDisk.mount(5 * MiB);
      fs.writeFileSync(join(disk.path, 'mine'), 'mine');
      const request = { target: disk.path, path: join(tree, path) };
      await assert.rejects(restoreTree(request), (error: Error & { code: string; hint: string }) => {
        assert.equal(error.code, 'sources.no-space');
        assert.match(error.hint, /start the same restore again/);
        return true;
      });
      execFileSync('mount', ['-o', `remount,size=${40 * MiB}`, disk.path]);
      const { state, problems } = await restoreTree(request);
      assert.deepEqual([state, problems], ['succeeded', []]);
      const { '/mine': mine, ...content } = contentOf(disk.path);
      assert(mine);
      assert.deepEqual(content, contentOf(join(tree, path)));
    });
});

suite('a target that cannot be used', () => {
  test('because it is read-only', async () => {
    await using disk = await SmallDisk.mount(100 * MiB);
    await disk.makeReadOnly();
    await assert.rejects(restoreTree({ target: disk.path }), { code: 'sources.read-only' });
    await assert.rejects(restoreTree({ target: join(disk.path, 'below') }), { code: 'sources.read-only' });
  });

  test('because it is a file', async () => {
    fs.writeFileSync(target, 'x');
    await assert.rejects(restoreTree(), { code: 'sources.target' });
    await assert.rejects(restoreTree({ target: join(target, 'below') }), { code: 'sources.target' });
  });
});

suite('verify', () => {
  test('puts right what looks the same and is not', async () => {
    await restoreTree();
    const path = join(target, 'large/below/b');
    const { atime, mtime } = fs.lstatSync(path);
    const fd = fs.openSync(path, 'r+');
    fs.writeSync(fd, 'flipped', 5 * MiB);
    fs.closeSync(fd);
    fs.utimesSync(path, atime, mtime);
    const posixTime = execFileSync('touch', ['-r', join(tree, 'large/below/b'), path]);
    assert.equal(posixTime.length, 0);
    const blind = await restoreTree();
    assert.equal(blind.state, 'succeeded');
    assert.notDeepEqual(contentOf(target), original);
    const seeing = await restoreTree({ verify: true });
    assert.deepEqual([seeing.state, seeing.problems, seeing.summary.files], ['succeeded', [], 1]);
    assert.deepEqual(contentOf(target), original);
  });

  test('does not ask for what policy left alone', async () => {
    fs.mkdirSync(join(target, 'many'), { recursive: true });
    fs.writeFileSync(join(target, 'many/f0'), 'mine');
    const { state, summary, verified } = await restoreTree({ verify: true, overwrite: 'never' });
    assert.deepEqual([state, summary.left, verified!.files], ['succeeded', 2, 62]);
    assert.equal(fs.readFileSync(join(target, 'many/f0'), 'utf8'), 'mine');
  });
});

suite('a dry run', () => {
  test('counts what would be done, and does nothing', async () => {
    const fresh = await previewRestore({ repository, snapshot, path: tree, target });
    const { state, created, replaced, unchanged, left, sizeBytes } = fresh;
    assert.deepEqual(
      [state, created, replaced, unchanged, left],
      ['succeeded', Object.keys(original).length, 0, 0, 0],
    );
    assert.equal(sizeBytes, 60 * 100 * KiB + 52 * MiB);
    assert(!fs.existsSync(target));
    await restoreTree();
    fs.rmSync(join(target, 'large'), { recursive: true });
    fs.writeFileSync(join(target, 'large'), 'in the way');
    fs.writeFileSync(join(target, 'many/f1'), 'changed');
    fs.rmSync(join(target, 'many/f2'));
    const before = describeTree(target);
    const seen: string[] = [];
    const again = await previewRestore({
      repository,
      snapshot,
      path: tree,
      target,
      onEntry: ({ path, decision }) => seen.push(`${decision} ${path.replace(tree, '')}`),
    });
    assert.deepEqual(describeTree(target), before);
    assert.deepEqual([again.created, again.replaced, again.unchanged, again.left], [6, 2, 58 + 3, 0]);
    assert(
      seen.includes('replace /large') && seen.includes('create /large/a') && seen.includes('create /many/f2'),
    );
    const { summary } = await restoreTree();
    assert.deepEqual([summary.files + summary.links + summary.others, summary.unchanged], [6, 59]);
    const never = await previewRestore({ repository, snapshot, path: tree, target, overwrite: 'never' });
    assert.equal(never.left, Object.keys(original).length);
  });

  test('tells what could not be restored', async () => {
    fs.mkdirSync(join(target, 'holes/below'), { recursive: true });
    const { state, problems } = await previewRestore({ repository, snapshot, path: tree, target });
    assert.equal(state, 'partial');
    assert.match(problems[0]!.error.message, /not empty is in the way/);
  });
});
