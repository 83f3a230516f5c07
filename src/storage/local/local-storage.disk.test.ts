import assert from 'node:assert/strict';
import { chmod, mkdir, readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { systemRandom } from '#base';
import { expectContent, expectError, itemsOf } from '../checks/expect.ts';
import { SmallDisk } from '../testing/small-disk.ts';
import { temporaryFolder } from '../testing/temporary-folder.ts';
import { LocalStorage } from './local-storage.ts';

const MiB = 1024 * 1024;
const nobody = 65_534;

test('a full disk fails with a hint, leaves nothing, and keeps what was there', async () => {
  await using disk = await SmallDisk.mount(2 * MiB);
  const storage = new LocalStorage(disk.path);
  const old = systemRandom.fill(new Uint8Array(MiB / 2));
  await storage.write('data/old', old);
  const { freeBytes } = await storage.space();
  await expectError('storage.no-space', storage.write('data/new', new Uint8Array(4 * MiB)));
  await expectError('storage.no-space', storage.write('data/old', new Uint8Array(4 * MiB)));
  await expectError('storage.no-space', storage.write('data/new', [old, old, old, old], { ifAbsent: true }));
  assert.deepEqual(await readdir(`${disk.path}/data`), ['old']);
  assert.equal((await storage.space()).freeBytes, freeBytes);
  await expectContent(storage, 'data/old', old);
  await storage.write('data/new', old);
  await expectContent(storage, 'data/new', old);
});

test('a read-only disk says so, and can be read', async () => {
  await using disk = await SmallDisk.mount(2 * MiB);
  const storage = new LocalStorage(disk.path);
  const bytes = Buffer.from('kept');
  await storage.write('data/old', bytes);
  await disk.makeReadOnly();
  await expectError('storage.read-only', storage.write('data/new', bytes));
  await expectError('storage.read-only', storage.write('data/old', bytes));
  await expectError('storage.read-only', storage.write('new/folder', bytes));
  await expectError('storage.read-only', storage.delete('data/old'));
  await expectContent(storage, 'data/old', bytes);
  assert.equal((await itemsOf(storage.list(''))).length, 1);
});

test('a folder of somebody else says that access is denied', async () => {
  const root = await temporaryFolder();
  const storage = new LocalStorage(root);
  await storage.write('data/old', new Uint8Array(1));
  await mkdir(`${root}/open`);
  await chmod(root, 0o755);
  await asUser(nobody, async () => {
    await expectError('storage.access-denied', storage.write('new', new Uint8Array(1)));
    await expectError('storage.access-denied', storage.write('new/folder/file', new Uint8Array(1)));
    await expectError('storage.access-denied', itemsOf(storage.read('data/old')));
    await expectError('storage.access-denied', itemsOf(storage.list('data/')));
    await expectError('storage.access-denied', storage.stat('data/old'));
    await expectError('storage.access-denied', storage.delete('data/old'));
  });
  assert.deepEqual(await readdir(root), ['data', 'open']);
});

/** Needs root, whom no permission stops. */
async function asUser(uid: number, work: () => Promise<void>): Promise<void> {
  process.seteuid!(uid);
  try {
    await work();
  } finally {
    process.seteuid!(0);
  }
}
