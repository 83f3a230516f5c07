import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  initRepository,
  inlineExecutor,
  type Repository,
  streamAttributes,
  writeSnapshot,
} from '#repository';
import { bucketSource } from '#sources';
import { MemoryStorage, StorageError } from '#storage';
import { MemoryBucket } from '../storage/testing/memory-bucket.ts';
import { backup } from './backup.ts';
import { previewBucketRestore, restoreToBucket } from './restore-to-bucket.ts';

async function smallRepository(): Promise<Repository> {
  const kdf = { N: 1024, r: 8, p: 1 };
  const storage = new MemoryStorage();
  return initRepository({ storage, password: 'bucket', kdf, executor: inlineExecutor() });
}

/** A bucket with everything that is hard, and a snapshot of it. */
async function saved() {
  const bucket = new MemoryBucket();
  bucket.put('a', 'file a', { contentType: 'text/plain' });
  bucket.put('a/b', 'file b', { user: { color: 'red' }, tags: { team: 'x' }, cacheControl: 'no-cache' });
  bucket.put('a/', '');
  for (const key of ['//x', '../up', '.', '100%', 'new\nline', 'n'.repeat(1000)]) bucket.put(key, key);
  bucket.put('large', Buffer.alloc(3_000_000, 'large '), { contentEncoding: 'none' });
  const repository = await smallRepository();
  const { snapshot } = await backup({ repository, source: bucketSource({ storage: bucket, root: 'b/p' }) });
  assert(snapshot);
  return { bucket, selection: { repository, snapshot, path: '/b/p' } };
}

const contentOf = ({ kept }: MemoryBucket) =>
  Object.fromEntries(
    [...kept].map(([key, { bytes, metadata }]) => [key, [Buffer.from(bytes).toString('base64'), metadata]]),
  );

test('a bucket comes back with its keys, content, metadata and tags', async () => {
  const { bucket, selection } = await saved();
  const target = new MemoryBucket();
  const outcome = await restoreToBucket({ ...selection, storage: target, verify: true });
  assert.deepEqual([outcome.state, outcome.problems], ['succeeded', []]);
  assert.deepEqual(contentOf(target), contentOf(bucket));
  assert.deepEqual([outcome.summary.files, outcome.verified?.files], [10, 10]);
  assert.equal(outcome.progress.bytesDone, outcome.progress.bytesTotal);
});

test('without a path, the bucket and its prefix stand before the keys', async () => {
  const { bucket, selection } = await saved();
  const target = new MemoryBucket();
  const { repository, snapshot } = selection;
  await restoreToBucket({ repository, snapshot, storage: target });
  const keys = [...bucket.kept.keys()].map((key) => `b/p/${key}`);
  assert.deepEqual([...target.kept.keys()].sort(), keys.sort());
});

test('a second restore writes only what differs in content or metadata', async () => {
  const { bucket, selection } = await saved();
  const target = new MemoryBucket();
  await restoreToBucket({ ...selection, storage: target });
  target.put('100%', 'damaged');
  target.put('a', 'file a', { contentType: 'text/html' });
  target.kept.delete('.');
  target.asked.length = 0;
  const entries: string[] = [];
  const preview = await previewBucketRestore({
    ...selection,
    storage: target,
    onEntry: ({ decision }) => entries.push(decision),
  });
  assert.deepEqual([preview.created, preview.replaced, preview.unchanged, preview.left], [1, 2, 7, 0]);
  assert.equal(entries.length, 10);
  assert(!target.asked.some((what) => what.startsWith('write')), 'a preview changes nothing');
  const outcome = await restoreToBucket({ ...selection, storage: target });
  assert.deepEqual([outcome.summary.files, outcome.summary.unchanged], [3, 7]);
  assert.deepEqual(contentOf(target), contentOf(bucket));
});

test('never leaves what is there, if-newer what is as young, and always asks nothing', async () => {
  const { selection } = await saved();
  const target = new MemoryBucket();
  target.put('a', 'mine');
  target.put('100%', 'older', {}, new Date(1e11));
  const never = await restoreToBucket({ ...selection, storage: target, overwrite: 'never' });
  assert.deepEqual([never.summary.left, never.summary.files], [2, 8]);
  const newer = await restoreToBucket({ ...selection, storage: target, overwrite: 'if-newer' });
  assert.deepEqual([newer.summary.left, newer.summary.files], [9, 1]);
  target.asked.length = 0;
  const always = await restoreToBucket({ ...selection, storage: target, overwrite: 'always' });
  assert.equal(always.summary.files, 10);
  assert(target.asked.every((what) => what.startsWith('write')));
});

test('reading back finds what the bucket did not keep, and restores what only looks the same', async () => {
  const { selection } = await saved();
  const target = new MemoryBucket();
  const { write } = target.objects;
  target.objects.write = (key, content, metadata) =>
    write(key, key === 'large' ? Buffer.alloc(3_000_000) : content, metadata);
  const outcome = await restoreToBucket({ ...selection, storage: target, verify: true });
  assert.equal(outcome.state, 'partial');
  assert.match(
    outcome.problems[0]!.error.message,
    /^read back: it differs from the snapshot within bytes 0 to/,
  );
  target.objects.write = write;
  const kept = target.kept.get('a/b')!;
  target.kept.set('a/b', { ...kept, bytes: Buffer.from('file X') });
  const again = await restoreToBucket({ ...selection, storage: target, verify: true });
  assert.deepEqual([again.state, again.summary.files, again.summary.unchanged], ['succeeded', 2, 8]);
  assert.equal(Buffer.from(target.kept.get('a/b')!.bytes).toString(), 'file b');
});

test('a server that knows no tags gets the object without them, and that is told', async () => {
  const { selection } = await saved();
  const target = new MemoryBucket();
  const { write } = target.objects;
  target.objects.write = async (key, content, metadata) => {
    if (metadata.tags) throw new StorageError('storage.unsupported', 'no tags here');
    return write(key, content, metadata);
  };
  const outcome = await restoreToBucket({ ...selection, storage: target });
  assert.deepEqual(
    outcome.problems.map(({ path, gravity }) => [path, gravity]),
    [['/b/p/a/b', 'odd']],
  );
  assert.deepEqual(target.kept.get('a/b')!.metadata, { user: { color: 'red' }, cacheControl: 'no-cache' });
});

test('an object that cannot be written is lost; a target that takes nothing ends the restore', async () => {
  const { selection } = await saved();
  const target = new MemoryBucket();
  const { write } = target.objects;
  target.objects.write = async (key, content, metadata) => {
    if (key === '../up') throw new StorageError('storage.name', 'not such a key');
    return write(key, content, metadata);
  };
  const outcome = await restoreToBucket({ ...selection, storage: target });
  assert.deepEqual([outcome.state, outcome.summary.files, outcome.problems.length], ['partial', 9, 1]);
  target.objects.write = async () => {
    throw new StorageError('storage.access-denied', 'not for you');
  };
  const again = restoreToBucket({ ...selection, storage: target, overwrite: 'always' });
  await assert.rejects(again, { code: 'storage.access-denied' });
});

test('files of another source become objects by their paths; what cannot be one is told', async () => {
  const repository = await smallRepository();
  const file = streamAttributes(0n);
  const { snapshot } = await writeSnapshot(repository, { paths: ['/d'] }, async (writer) => {
    await writer.enterFolder(Buffer.from('d'), { ...file, type: 'dir', mode: 0o755 });
    writer.addNode(Buffer.from('link'), { ...file, type: 'symlink', linkTarget: Buffer.from('x') });
    for (const name of [Buffer.from('100%25'), Buffer.from([0x66, 0xff])])
      await writer.addFile(name, file, {
        async *open() {
          yield Buffer.from('content');
        },
      });
    writer.leaveFolder();
  });
  for (const storage of [new MemoryBucket(), new MemoryStorage()]) {
    const outcome = await restoreToBucket({ repository, snapshot: snapshot!, storage, verify: true });
    assert.deepEqual(
      outcome.problems.map(({ path, error, gravity }) => [path, error.message, gravity]),
      [
        ['/d/f\\xff', 'a name that is not UTF-8 cannot be the key of an object', 'lost'],
        ['/d/link', 'a symlink has no place in a bucket', 'lost'],
      ],
    );
    const names = storage instanceof MemoryBucket ? storage.kept : storage.files;
    assert.deepEqual([...names.keys()], ['d/100%25']);
  }
});
