import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { collect, systemClock, systemRandom } from '#base';
import { openStorage, type RetryOptions, type Storage, StorageError } from '#storage';
import { expectContent, expectError, itemsOf, listedNames } from '../../src/storage/testing/expect.ts';
import { SmallDisk } from '../../src/storage/testing/small-disk.ts';
import { startCutProxy } from '../servers/cut-proxy.ts';
import { type Sshd, startSshd } from '../servers/sshd.ts';

const MiB = 1024 * 1024;
const once: RetryOptions = { attemptsMax: 1 };
const server = await startSshd();
after(() => server.stop());
const proxy = await startCutProxy(server.port);
after(() => proxy.stop());

function open(at: Sshd, path: string, { port = at.port, retry = once } = {}): Promise<Storage> {
  // The proxy's port is not the server's, so it is another host to the known hosts.
  const sftp = port === at.port ? at.options : { ...at.options, askHostKey: async () => true };
  return openStorage(at.location(path, port), { sftp, retry });
}

/** Pieces of one MiB; `onPiece` is called before each. */
function streamOf(bytes: Uint8Array, onPiece: (index: number) => void) {
  async function* pieces() {
    for (let start = 0; start < bytes.length; start += MiB) {
      onPiece(start / MiB);
      yield bytes.subarray(start, start + MiB);
    }
  }
  return { open: pieces, sizeBytes: bytes.length };
}

test('a write goes on after its connection broke in the middle, and what was left is removed later', async () => {
  const storage = await open(server, '/data/cut', { port: proxy.port, retry: { pauseMs: 1 } });
  const bytes = systemRandom.fill(new Uint8Array(12 * MiB));
  const before = proxy.connectionCount;
  let cuts = 0;
  await storage.write(
    'data/large',
    streamOf(bytes, (index) => {
      if (index === 6 && cuts++ < 2) proxy.cut();
    }),
  );
  assert.equal(cuts, 3);
  await expectContent(storage, 'data/large', bytes);
  assert(proxy.connectionCount - before >= 3, 'a new connection for each attempt');
  assert.deepEqual(await listedNames(storage, ''), ['data/large']);
  assert.equal(readdirSync(join(server.data, 'cut/data')).length, 3);
  assert.equal(await storage.removeUnfinished!(new Date(systemClock.nowMs() - 600_000)), 0);
  assert.equal(await storage.removeUnfinished!(new Date(systemClock.nowMs() + 60_000)), 2);
  assert.deepEqual(readdirSync(join(server.data, 'cut/data')), ['large']);
  await storage.close();
});

test('a read and a listing go on after their connection broke in the middle', async () => {
  const storage = await open(server, '/data/resumed', { port: proxy.port, retry: { pauseMs: 1 } });
  const bytes = systemRandom.fill(new Uint8Array(8 * MiB));
  await storage.write('large', bytes);
  const pieces: Uint8Array[] = [];
  for await (const piece of storage.read('large')) if (pieces.push(piece) === 4) proxy.cut();
  assert.equal(Buffer.compare(Buffer.concat(pieces), bytes), 0);
  const names = Array.from({ length: 40 }, (_, i) => `folders/${i}/file`);
  await Promise.all(names.map((name) => storage.write(name, new Uint8Array(1))));
  const seen: string[] = [];
  for await (const { name } of storage.list('folders/')) if (seen.push(name) === 3) proxy.cut();
  assert.deepEqual(seen.sort(), names.sort());
  await storage.close();
});

test('every call that waits when the connection breaks says so, and may be tried again soon', async () => {
  const storage = await open(server, '/data/waiting', { port: proxy.port });
  await storage.write('file', new Uint8Array(MiB));
  const calls = [
    storage.stat('file'),
    storage.write('other', new Uint8Array(4 * MiB)),
    collect(storage.read('file')),
    itemsOf(storage.list('')),
    storage.delete('absent'),
    storage.space!(),
  ];
  // The requests are on their way when the first answer is.
  proxy.cut();
  for (const outcome of await Promise.allSettled(calls)) {
    assert(outcome.status === 'rejected', 'answered without a connection');
    assert(outcome.reason instanceof StorageError, outcome.reason);
    assert.equal(`${outcome.reason.code} ${outcome.reason.retry}`, 'storage.unreachable soon');
  }
  assert.equal((await storage.stat('file'))?.sizeBytes, MiB, 'the next call connects again');
  await storage.close();
});

test('a full disk fails with a hint, leaves nothing, and keeps what was there', async () => {
  await using disk = await SmallDisk.mount(4 * MiB);
  const small = await startSshd({ data: disk.path });
  const storage = await open(small, '/data');
  const old = systemRandom.fill(new Uint8Array(MiB));
  await storage.write('data/old', old);
  assert.equal((await storage.space!())?.totalBytes, 4 * MiB);
  await expectError('storage.no-space', storage.write('data/new', new Uint8Array(8 * MiB)));
  await expectError('storage.no-space', storage.write('data/old', new Uint8Array(8 * MiB)));
  await expectError(
    'storage.no-space',
    storage.write('data/new', new Uint8Array(8 * MiB), { ifAbsent: true }),
  );
  assert.deepEqual(readdirSync(join(disk.path, 'data')), ['old']);
  await expectContent(storage, 'data/old', old);
  await storage.write('data/new', old);
  await storage.close();
  await small.stop();
});

test('a read-only disk says so, and can be read', async () => {
  await using disk = await SmallDisk.mount(4 * MiB);
  writeFileSync(join(disk.path, 'old'), 'kept');
  chmodSync(join(disk.path, 'old'), 0o644);
  const small = await startSshd({ data: disk.path });
  await disk.makeReadOnly();
  const storage = await open(small, '/data');
  await expectError('storage.read-only', storage.write('new', new Uint8Array(1)));
  await expectError('storage.read-only', storage.write('new/folder/file', new Uint8Array(1)));
  await expectError('storage.read-only', storage.delete('old'));
  await expectContent(storage, 'old', Buffer.from('kept'));
  await storage.close();
  await small.stop();
});

test('a folder of somebody else says that access is denied', async () => {
  mkdirSync(join(server.data, 'theirs/data'), { recursive: true });
  writeFileSync(join(server.data, 'theirs/data/old'), 'old', { mode: 0o600 });
  chmodSync(join(server.data, 'theirs'), 0o755);
  const storage = await open(server, '/data/theirs');
  await expectError('storage.access-denied', storage.write('new', new Uint8Array(1)));
  await expectError('storage.access-denied', storage.write('new/folder/file', new Uint8Array(1)));
  await expectError('storage.access-denied', itemsOf(storage.read('data/old')));
  await expectError('storage.access-denied', storage.delete('data/old'));
  chmodSync(join(server.data, 'theirs/data'), 0o700);
  await expectError('storage.access-denied', storage.stat('data/old'));
  await expectError('storage.access-denied', itemsOf(storage.list('data/')));
  await storage.close();
  // The jail itself is root's.
  const jail = await open(server, '/repository');
  await expectError('storage.access-denied', jail.write('config', new Uint8Array(1)));
  await jail.close();
});

test('what it makes is for the owner only, or for the group that may read the config', async () => {
  const storage = await open(server, '/data/modes');
  const modeOf = (path: string) => (statSync(join(server.data, 'modes', path)).mode & 0o777).toString(8);
  await storage.write('data/ab/file', new Uint8Array(1));
  await storage.write('config', new Uint8Array(1), { ifAbsent: true });
  assert.deepEqual(['', 'data', 'data/ab', 'data/ab/file', 'config'].map(modeOf), [
    ...['700', '700', '700', '600', '600'],
  ]);
  await storage.close();
  chmodSync(join(server.data, 'modes/config'), 0o640);
  const later = await open(server, '/data/modes');
  await later.write('data/ab/other', new Uint8Array(1));
  assert.equal(modeOf('data/ab/other'), '660');
  await later.close();
});

test('links are followed, but not in a circle', async () => {
  const storage = await open(server, '/data/links');
  await storage.write('a/file', new Uint8Array(1));
  await storage.write('b/file', new Uint8Array(2));
  const root = join(server.data, 'links');
  symlinkSync('../b', join(root, 'a/to-b'));
  symlinkSync('../a', join(root, 'b/to-a'));
  symlinkSync('nowhere', join(root, 'dangling'));
  symlinkSync('self', join(root, 'self'));
  assert.deepEqual(await listedNames(storage, ''), ['a/file', 'a/to-b/file', 'b/file', 'b/to-a/file']);
  await storage.close();
});

test('without hard links one of eight creators wins all the same', async () => {
  const unlinked = await startSshd({ forbid: ['hardlink'] });
  const storage = await open(unlinked, '/data');
  const contents = Array.from({ length: 8 }, (_, i) => new Uint8Array(1000).fill(i));
  const outcomes = await Promise.allSettled(
    contents.map((content) => storage.write('config', content, { ifAbsent: true })),
  );
  const winners = contents.filter((_, i) => outcomes[i]!.status === 'fulfilled');
  assert.equal(winners.length, 1);
  await expectContent(storage, 'config', winners[0]!);
  assert.deepEqual(readdirSync(unlinked.data), ['config']);
  await storage.close();
  await unlinked.stop();
});

test('without posix-rename the same content stays where it is, and nothing is left aside', async () => {
  const plain = await startSshd({ forbid: ['posix-rename', 'hardlink'] });
  const storage = await open(plain, '/data');
  const path = join(plain.data, 'file');
  const bytes = systemRandom.fill(new Uint8Array(MiB));
  await storage.write('file', bytes);
  const { ino } = statSync(path);
  await storage.write('file', bytes);
  assert.equal(statSync(path).ino, ino);
  const other = systemRandom.fill(new Uint8Array(MiB));
  await storage.write('file', other);
  await expectContent(storage, 'file', other);
  assert.deepEqual(readdirSync(plain.data), ['file']);
  await storage.close();
  await plain.stop();
});
