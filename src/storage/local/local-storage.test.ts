import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join, relative } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock } from '#base';
import { expectContent, expectError, itemsOf, listedNames } from '../checks/expect.ts';
import { storageContract } from '../testing/contract.ts';
import { temporaryFolder } from '../testing/temporary-folder.ts';
import { LocalStorage } from './local-storage.ts';

const bytes = Buffer.from('content');

storageContract({ name: 'local', open: async () => new LocalStorage(await temporaryFolder()) });

async function newStorage(): Promise<{ root: string; storage: LocalStorage }> {
  const root = join(await temporaryFolder(), 'not/made/yet');
  return { root, storage: new LocalStorage(root) };
}

async function modeOf(path: string): Promise<string> {
  return ((await fs.stat(path)).mode & 0o777).toString(8);
}

test('an absent root is empty, and made by the first write', async () => {
  const { root, storage } = await newStorage();
  assert.deepEqual(await listedNames(storage, ''), []);
  assert.equal(await storage.stat('config'), undefined);
  await storage.delete('config');
  await expectError('storage.not-found', itemsOf(storage.read('config')));
  const { freeBytes, totalBytes } = await storage.space();
  assert(freeBytes > 0 && totalBytes >= freeBytes);
  assert.deepEqual(await fs.readdir(join(root, '../../..')), []);
  await storage.write('config', bytes);
  await expectContent(storage, 'config', bytes);
});

test('what it makes is for the owner only, and files are read-only', async () => {
  const { root, storage } = await newStorage();
  await storage.write('data/ab/file', bytes);
  await storage.write('data/ab/file', bytes);
  await storage.write('config', bytes, { ifAbsent: true });
  assert.deepEqual(
    await Promise.all(['', 'data', 'data/ab', 'data/ab/file', 'config'].map((it) => modeOf(join(root, it)))),
    ['700', '700', '700', '400', '400'],
  );
});

test('the group may read and add when it may read the config', async (t) => {
  const { root, storage } = await newStorage();
  await storage.write('config', bytes);
  await fs.chmod(join(root, 'config'), 0o440);
  const umask = process.umask(0o007);
  t.after(() => process.umask(umask));
  const later = new LocalStorage(root);
  await later.write('data/file', bytes);
  assert.equal(await modeOf(join(root, 'data')), '770');
  assert.equal(await modeOf(join(root, 'data/file')), '440');
});

test('unfinished files are not seen, not written by name, and removed when they are old', async () => {
  const { root, storage } = await newStorage();
  const unfinished = 'data/file-tmp-0123456789abcdef';
  await storage.write('data/file', bytes);
  await storage.write('data/file-tmp-mine', bytes);
  await fs.writeFile(join(root, unfinished), bytes);
  assert.deepEqual(await listedNames(storage, ''), ['data/file', 'data/file-tmp-mine']);
  assert.deepEqual(await listedNames(storage, unfinished), []);
  await expectError('storage.name', storage.write(unfinished, bytes));
  assert.equal(await storage.removeUnfinished(new Date(systemClock.nowMs() - 60_000)), 0);
  assert.equal(await storage.removeUnfinished(new Date(systemClock.nowMs() + 60_000)), 1);
  assert.deepEqual(await fs.readdir(join(root, 'data')), ['file', 'file-tmp-mine']);
});

test('a name may be as long as the file system allows', async () => {
  const { storage } = await newStorage();
  for (const name of ['n'.repeat(255), `é${'🙂'.repeat(63)}`]) {
    await storage.write(name, bytes);
    await expectContent(storage, name, bytes);
    await storage.delete(name);
  }
  await expectError('storage.name', storage.write('n'.repeat(256), bytes));
});

test('a file and a folder cannot share a name', async () => {
  const { root, storage } = await newStorage();
  await storage.write('a/b', bytes);
  await expectError('storage.name', storage.write('a', bytes));
  await expectError('storage.name', storage.write('a/b/c', bytes));
  await expectError('storage.exists', storage.write('a', bytes, { ifAbsent: true }));
  assert.deepEqual(await fs.readdir(root), ['a']);
});

test('links are followed, circles are not', async () => {
  const { root, storage } = await newStorage();
  const elsewhere = await temporaryFolder();
  await storage.write('config', bytes);
  await new LocalStorage(elsewhere).write('ab/file', bytes);
  await fs.symlink(elsewhere, join(root, 'data'));
  await fs.symlink(root, join(root, 'circle'));
  await fs.symlink('self', join(root, 'self'));
  await fs.symlink('gone', join(root, 'broken'));
  assert.deepEqual(await listedNames(storage, ''), ['config', 'data/ab/file']);
  await expectContent(storage, 'data/ab/file', bytes);
});

test('a file whose name is not UTF-8 is not passed over in silence', async () => {
  const { root, storage } = await newStorage();
  await storage.write('data/file', bytes);
  await fs.writeFile(Buffer.concat([Buffer.from(join(root, 'data/')), Buffer.from([0xff, 0x41])]), bytes);
  await expectError('storage.name', itemsOf(storage.list('')));
  assert.deepEqual(await listedNames(storage, 'data/f'), ['data/file']);
});

test('files and folders may vanish while they are listed', async () => {
  const { root, storage } = await newStorage();
  for (let i = 0; i < 200; i++) await fs.mkdir(join(root, `${i}`), { recursive: true });
  for (let i = 0; i < 200; i++) await fs.writeFile(join(root, `${i}/file`), bytes);
  const vanish = fs.rm(root, { recursive: true, maxRetries: 3 });
  const seen = await listedNames(storage, '');
  await vanish;
  assert(seen.length <= 200);
});

test('without hard links an absent file is still created by one of many', async (t) => {
  mockFs(t, 'link', async () => {
    throw Object.assign(new Error('no links'), { code: 'ENOTSUP' });
  });
  const { root, storage } = await newStorage();
  const outcomes = await Promise.allSettled(
    Array.from({ length: 8 }, () => storage.write('data/file', bytes, { ifAbsent: true })),
  );
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
  assert.deepEqual(await fs.readdir(join(root, 'data')), ['file']);
  await expectContent(storage, 'data/file', bytes);
  await expectError('storage.exists', storage.write('data/file', bytes, { ifAbsent: true }));
});

test('a write syncs the file, each new folder and the folder of the file', async (t) => {
  const { root, storage } = await newStorage();
  const synced = await watchSyncs(t, root);
  const names = () => synced.splice(0).map((name) => name.replace(/-tmp-.*/, '-tmp'));
  await storage.write('data/ab/file', bytes);
  // The folder above the test's own is where the first new folder was made.
  assert.deepEqual(names(), ['../../..', '../..', '..', '', 'data', 'data/ab/file-tmp', 'data/ab']);
  await storage.write('data/cd/file', bytes);
  assert.deepEqual(names(), ['data', 'data/cd/file-tmp', 'data/cd']);
  await storage.write('data/cd/other', bytes);
  assert.deepEqual(names(), ['data/cd/other-tmp', 'data/cd']);
});

test('deletes in one top folder are on disk before those in another begin', async (t) => {
  const { root, storage } = await newStorage();
  for (const name of ['index/a', 'index/b', 'data/00/a', 'data/01/b']) await storage.write(name, bytes);
  const synced = await watchSyncs(t, root);
  await storage.delete('index/a');
  await storage.delete('index/b');
  assert.deepEqual(synced, []);
  await storage.delete('data/00/a');
  await storage.delete('data/01/b');
  assert.deepEqual(synced, ['index']);
  await storage.close();
  assert.deepEqual(synced.sort(), ['data/00', 'data/01', 'index']);
});

test('a disk that cannot sync fails the write and leaves nothing', async (t) => {
  const { root, storage } = await newStorage();
  await storage.write('data/old', bytes);
  const prototype = await fileHandlePrototype(root);
  t.mock.method(prototype, 'sync', async () => {
    throw Object.assign(new Error('broken'), { code: 'EIO', errno: -5 });
  });
  await expectError('storage.failed', storage.write('data/new', bytes));
  assert.deepEqual(await fs.readdir(join(root, 'data')), ['old']);
});

function mockFs(t: TestContext, name: 'link', work: () => Promise<void>): void {
  t.mock.method(fs, name, work);
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
}

/** The list grows with the name of each file or folder that is synced. */
async function watchSyncs(t: TestContext, root: string): Promise<string[]> {
  const names: string[] = [];
  const prototype = await fileHandlePrototype('/');
  const { sync } = prototype;
  t.mock.method(prototype, 'sync', async function (this: fs.FileHandle) {
    names.push(relative(root, await fs.readlink(`/proc/self/fd/${this.fd}`)));
    await sync.call(this);
  });
  return names;
}

async function fileHandlePrototype(path: string): Promise<fs.FileHandle> {
  await using handle = await fs.open(path, 'r');
  return Object.getPrototypeOf(handle);
}
