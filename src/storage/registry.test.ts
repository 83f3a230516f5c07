import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expectContent } from './checks/expect.ts';
import { StorageError } from './errors.ts';
import { openStorage } from './registry.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';

test('opens a folder by any of its notations', async () => {
  const folder = await temporaryFolder();
  for (const location of [folder, `local:${folder}`]) {
    const storage = await openStorage(location, { limits: { concurrency: 2 } });
    assert.equal(storage.location, location);
    assert.equal(storage.capabilities.concurrency, 2);
    await storage.write('file', Buffer.from(location));
    await expectContent(storage, 'file', Buffer.from(location));
    assert((await storage.space?.())?.freeBytes);
    await storage.close();
  }
});

test('says which kinds there are when one is missing', async () => {
  await assert.rejects(openStorage('gdrive:Backups'), (error) => {
    assert(error instanceof StorageError && error.code === 'storage.location');
    assert.match(error.message, /"gdrive:Backups" needs storage of the kind "gdrive"/);
    assert.match(error.hint ?? '', /local/);
    return true;
  });
});
