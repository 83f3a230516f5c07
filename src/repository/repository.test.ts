import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Storage, StorageError } from '#storage';
import { checkRepository } from './check/check-repository.ts';
import { type MemoryStorage, memoryStorage, vectorStorage } from './format/testing/memory-storage.ts';
import { readBack, reopen, smallRepository, writeStreams } from './testing/streamed-repository.ts';

/** The same files in a storage that takes no writes. */
function readOnly(storage: MemoryStorage): Storage {
  const refuse = async (): Promise<never> => {
    throw new StorageError('storage.read-only', 'the disk is mounted read-only');
  };
  return { ...storage, write: refuse, delete: refuse };
}

test('a repository that stock restic made opens with its password, and reads', async () => {
  const repository = await reopen(vectorStorage('restic-0.14/repository'), { password: 'holdfast' });
  const [snapshot] = await repository.snapshots();
  assert.deepEqual(snapshot!.tags, ['name=nasty', 'second<&>tag']);
  const node = await repository.findNode(snapshot!, '/nasty/content');
  const pieces: Uint8Array[] = [];
  for await (const piece of repository.readFile(node!)) pieces.push(piece);
  assert.equal(Buffer.concat(pieces).toString(), 'Holdfast\n'.repeat(3));
  assert.deepEqual((await checkRepository(repository, { readData: 'all' })).findings, []);
});

test('says what is wrong when it cannot be opened', async () => {
  await assert.rejects(reopen(memoryStorage()), { code: 'repository.absent', exitCode: 10 });
  const { storage } = await smallRepository();
  await assert.rejects(reopen(storage, { password: 'wrong' }), {
    code: 'repository.wrong-password',
    exitCode: 12,
  });
  storage.files.delete('config');
  await assert.rejects(reopen(storage), { code: 'repository.damaged', message: /no config/ });
  storage.files.clear();
  storage.files.set('config', new Uint8Array(100));
  await assert.rejects(reopen(storage), { code: 'repository.damaged', message: /lost its keys/ });
});

test('never overwrites a repository, not even a half one', async () => {
  for (const name of ['config', 'keys/something', 'snapshots/something']) {
    const storage = memoryStorage(new Map([[name, new Uint8Array(1)]]));
    await assert.rejects(smallRepository({ storage }), { code: 'repository.exists' });
    assert.deepEqual([...storage.files.keys()], [name]);
  }
});

test('without locks it reads from a storage that cannot be written', async () => {
  const { repository, storage } = await smallRepository();
  const written = await writeStreams(repository, { a: 'one' });
  const reading = await reopen(readOnly(storage), { withoutLock: true });
  await using _lock = await reading.lock({ exclusive: false });
  assert.equal((await readBack(reading, written, '/a')).toString(), 'one');
  assert.ok((await checkRepository(reading, { readData: 'all' })).isSound);
  const dry = await writeStreams(reading, { b: 'two' }, { dryRun: true });
  assert.equal(dry.summary.dataBlobs, 1);
});

test('without locks it refuses to write, before anything is written', async () => {
  const { storage } = await smallRepository();
  const before = [...storage.files.keys()];
  const reading = await reopen(storage, { withoutLock: true });
  await assert.rejects(writeStreams(reading, { a: 'one' }), {
    code: 'repository.read-only',
    message: 'a repository opened without locks can only be read',
  });
  await assert.rejects(reading.lock({ exclusive: true }), { code: 'repository.read-only' });
  assert.deepEqual([...storage.files.keys()], before);
});

test('on a storage that cannot be written it says so, and how to read', async () => {
  const { storage } = await smallRepository();
  const repository = await reopen(readOnly(storage));
  await assert.rejects(repository.lock({ exclusive: false }), {
    code: 'repository.read-only',
    message: 'cannot lock the repository at memory: the disk is mounted read-only',
    hint: /--no-lock/,
  });
  await assert.rejects(writeStreams(repository, { a: 'one' }), {
    code: 'repository.read-only',
    hint: /right to write/,
  });
  await assert.rejects(checkRepository(repository), { code: 'repository.read-only', hint: /--no-lock/ });
});

test('a failed load of the index is tried again', async () => {
  const { repository, storage } = await smallRepository();
  const written = await writeStreams(repository, { a: 'one' });
  let isAway = true;
  const reading = await reopen({
    ...storage,
    read: (name, range, options) => {
      if (isAway && name.startsWith('index/')) throw new StorageError('storage.unreachable', 'away');
      return storage.read(name, range, options);
    },
  });
  await assert.rejects(reading.index(), { code: 'storage.unreachable' });
  isAway = false;
  assert.equal((await readBack(reading, written, '/a')).toString(), 'one');
});

test('under a new lock it sees what another process wrote meanwhile', async () => {
  const { repository, storage } = await smallRepository();
  await writeStreams(repository, { a: 'one' });
  const written = await writeStreams(await reopen(storage), { b: 'two' });
  await using _lock = await repository.lock({ exclusive: false });
  assert.equal((await readBack(repository, written, '/b')).toString(), 'two');
});

test('finds entries by path, and the root', async () => {
  const { repository } = await smallRepository();
  const { snapshot } = await writeStreams(repository, { a: 'one' });
  assert.equal(await repository.findNode(snapshot!, '/'), undefined);
  assert.equal((await repository.findNode(snapshot!, '//a'))!.sizeBytes, 3);
  await assert.rejects(repository.findNode(snapshot!, '/a/b'), { code: 'repository.path-not-found' });
});
