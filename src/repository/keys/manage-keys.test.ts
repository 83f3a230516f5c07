import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { MemoryStorage } from '#storage';
import { initSmall, openSmall, testKdf } from '../testing/small-repository.ts';
import { listKeys } from './keys.ts';
import { addKey, changePassword, removeKey } from './manage-keys.ts';

const kdf = testKdf;
const isKeyError = { name: 'RepositoryError', code: 'repository.key' };

async function keyCount(storage: MemoryStorage): Promise<number> {
  return (await listKeys(storage)).length;
}

test('adds a password that opens, and removes it again', async () => {
  const storage = new MemoryStorage();
  const repository = await initSmall(storage);
  const id = await addKey(repository, { password: 'second', username: 'otto', kdf });
  const opened = await openSmall(storage, { password: 'second' });
  assert.equal(opened.key.id, id);
  assert.equal((await listKeys(storage)).find((key) => key.id === id)?.file?.username, 'otto');
  await removeKey(repository, id.slice(0, 12));
  await assert.rejects(openSmall(storage, { password: 'second' }), { code: 'repository.wrong-password' });
  assert.equal(await keyCount(storage), 1);
});

test('holds its lock until the new key is stored', async () => {
  const storage = new MemoryStorage();
  const locksAtWrite: number[] = [];
  const write: MemoryStorage['write'] = storage.write.bind(storage);
  storage.write = async (name, content, options) => {
    await setImmediate();
    if (name.startsWith('keys/'))
      locksAtWrite.push([...storage.files.keys()].filter((one) => one.startsWith('locks/')).length);
    return write(name, content, options);
  };
  const repository = await initSmall(storage);
  await addKey(repository, { password: 'second', kdf });
  assert.deepEqual(locksAtWrite, [0, 1], 'one key at the start, one under a lock');
});

test('refuses to remove the key in use, an unknown and an ambiguous one', async () => {
  const storage = new MemoryStorage();
  const repository = await initSmall(storage);
  await addKey(repository, { password: 'second', kdf });
  await assert.rejects(removeKey(repository, repository.key.id), isKeyError);
  await assert.rejects(removeKey(repository, 'ffff0000ffff'), isKeyError);
  await assert.rejects(removeKey(repository, ''), isKeyError);
  assert.equal(await keyCount(storage), 2);
});

test('removes no key when the one in use is gone from the storage', async () => {
  const storage = new MemoryStorage();
  const repository = await initSmall(storage);
  const id = await addKey(repository, { password: 'second', kdf });
  storage.files.delete(`keys/${repository.key.id}`);
  await assert.rejects(removeKey(repository, id), { code: 'repository.key' });
  assert.equal(await keyCount(storage), 1);
});

test('removes a damaged key file', async () => {
  const storage = new MemoryStorage();
  const repository = await initSmall(storage);
  const id = await addKey(repository, { password: 'second', kdf });
  storage.files.set(`keys/${id}`, Buffer.from('{"created":'));
  await removeKey(repository, id);
  assert.equal(await keyCount(storage), 1);
});

test('changes the password: the new one opens, the old one no more, and the new key is the one in use', async () => {
  const storage = new MemoryStorage();
  const repository = await initSmall(storage);
  const id = await changePassword(repository, { password: 'better', kdf });
  assert.equal(repository.key.id, id);
  assert.equal((await openSmall(storage, { password: 'better' })).key.id, id);
  await assert.rejects(openSmall(storage), { code: 'repository.wrong-password' });
  await assert.rejects(removeKey(repository, id), isKeyError);
});

test('goes on with a change of password that was interrupted, without a second new key', async () => {
  const storage = new MemoryStorage();
  const repository = await initSmall(storage);
  const made = await addKey(repository, { password: 'better', kdf });
  assert.equal(await changePassword(repository, { password: 'better', kdf }), made);
  assert.equal(await keyCount(storage), 1);
});
