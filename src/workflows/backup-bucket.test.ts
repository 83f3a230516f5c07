import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect } from '#base';
import { checkRepository, initRepository, inlineExecutor, type Repository, walkSnapshot } from '#repository';
import { bucketSource, type TagReading } from '#sources';
import { MemoryStorage, retry, type Storage, StorageError } from '#storage';
import { MemoryBucket } from '../storage/testing/memory-bucket.ts';
import { type BackupOutcome, backup } from './backup.ts';

async function smallRepository(): Promise<Repository> {
  const kdf = { N: 1024, r: 8, p: 1 };
  return initRepository({
    storage: new MemoryStorage(),
    password: 'bucket',
    kdf,
    executor: inlineExecutor(),
  });
}

const saveTo = (repository: Repository, storage: Storage, tags: TagReading = 'told') =>
  backup({ repository, source: bucketSource({ storage, root: 'bucket/pre', tags }) });

/** Path → content and extended attributes, of the files of a snapshot. */
async function filesOf(repository: Repository, { snapshot }: BackupOutcome) {
  const files: Record<string, { text: string; attributes: Record<string, string> }> = {};
  for await (const { names, node } of walkSnapshot(repository, snapshot!)) {
    if (node.type !== 'file') continue;
    const attributes = (node.extendedAttributes ?? []).map(({ name, value }) => [
      name.replace('user.holdfast.object.', ''),
      Buffer.from(value).toString(),
    ]);
    const text = Buffer.from(await collect(repository.readFile(node))).toString();
    files[names.map((name) => Buffer.from(name).toString()).join('/')] = {
      text,
      attributes: Object.fromEntries(attributes),
    };
  }
  return files;
}

const problemsOf = ({ problems }: BackupOutcome) =>
  problems.map(({ path, error, gravity }) => `${gravity} ${path}: ${error.message}`);

test('every object is a file with what the bucket keeps beside it', async () => {
  const bucket = new MemoryBucket();
  bucket.put('a', 'file a');
  bucket.put('a/b', 'file b', {
    contentType: 'text/plain',
    user: { color: 'red', Ä: 'ö' },
    tags: { team: 'x' },
    storageClass: 'STANDARD_IA',
  });
  bucket.put('a-b', '');
  bucket.put('/../', 'odd', { cacheControl: 'no-cache' });
  const repository = await smallRepository();
  const outcome = await saveTo(repository, bucket);
  assert.deepEqual([outcome.state, outcome.problems], ['succeeded', []]);
  assert.deepEqual(outcome.snapshot?.paths, ['/bucket/pre']);
  const etag = (text: string) => bucket.etagOf(Buffer.from(text));
  assert.deepEqual(await filesOf(repository, outcome), {
    'bucket/pre/%/%2E%2E/%': {
      text: 'odd',
      attributes: { 'cache-control': 'no-cache', etag: etag('odd'), key: '/../' },
    },
    'bucket/pre/a%=': { text: 'file a', attributes: { etag: etag('file a'), key: 'a' } },
    'bucket/pre/a/b': {
      text: 'file b',
      attributes: {
        'content-type': 'text/plain',
        etag: etag('file b'),
        metadata: '{"color":"red","Ä":"ö"}',
        'storage-class': 'STANDARD_IA',
        tags: '{"team":"x"}',
      },
    },
    'bucket/pre/a-b': { text: '', attributes: { etag: etag('') } },
  });
  assert.deepEqual((await checkRepository(repository, { readData: 'all' })).findings, []);
});

test('what the list shows unchanged is not asked for again, and keeps what is known of it', async () => {
  const bucket = new MemoryBucket();
  for (const name of ['a', 'a/b', 'c', 'd/e/f'])
    bucket.put(name, `content of ${name}`, { contentType: 'text/x', tags: { of: name } });
  const repository = await smallRepository();
  const first = await saveTo(repository, bucket);
  assert.equal(bucket.asked.length, 8, 'a GET and a question for tags each');
  bucket.asked.length = 0;
  const second = await saveTo(repository, bucket);
  assert.deepEqual(bucket.asked, []);
  assert.equal(second.summary.filesUnmodified, 4);
  assert.equal(second.tree, first.tree);

  bucket.put('c', 'other bytes', { contentType: 'text/y' });
  bucket.kept.get('a')!.storageClass = 'GLACIER';
  const third = await saveTo(repository, bucket);
  assert.deepEqual(bucket.asked, ['read c']);
  const files = await filesOf(repository, third);
  assert.equal(files['bucket/pre/c']!.attributes['content-type'], 'text/y');
  assert.deepEqual(
    [
      files['bucket/pre/a%=']!.attributes['storage-class'],
      files['bucket/pre/a%=']!.attributes['content-type'],
    ],
    ['GLACIER', 'text/x'],
  );
});

test('an object of the same size is read again when its mark or its time is another', async () => {
  const bucket = new MemoryBucket();
  bucket.put('mark', 'aaaa');
  bucket.put('time', 'aaaa');
  const repository = await smallRepository();
  await saveTo(repository, bucket);
  bucket.put('mark', 'bbbb');
  bucket.put('time', 'aaaa', {}, new Date(1e12 + 1));
  bucket.asked.length = 0;
  const outcome = await saveTo(repository, bucket);
  assert.deepEqual(bucket.asked.sort(), ['read mark', 'read time']);
  assert.equal((await filesOf(repository, outcome))['bucket/pre/mark']!.text, 'bbbb');
});

for (const mark of ['', '""', 'W/"weak"'])
  test(`a server whose mark is ${mark || 'not given'} has every object read`, async () => {
    const bucket = new MemoryBucket();
    bucket.etagOf = () => mark;
    bucket.put('a', 'aaaa');
    const repository = await smallRepository();
    await saveTo(repository, bucket);
    bucket.put('a', 'bbbb');
    const outcome = await saveTo(repository, bucket);
    assert.equal((await filesOf(repository, outcome))['bucket/pre/a']!.text, 'bbbb');
    assert.equal(outcome.summary.filesUnmodified, 0);
  });

test('an object that goes or is replaced after it was listed is told, and the newer one saved', async () => {
  const bucket = new MemoryBucket();
  bucket.pageSize = 100;
  bucket.put('gone', 'soon');
  bucket.put('kept', 'kept');
  bucket.put('other', 'old content');
  bucket.onPage = () => queueMicrotask(() => queueMicrotask(change));
  function change() {
    bucket.kept.delete('gone');
    bucket.put('other', 'newer', {}, new Date(2e12));
  }
  const repository = await smallRepository();
  const outcome = await saveTo(repository, bucket);
  assert.deepEqual(problemsOf(outcome).sort(), [
    'odd /bucket/pre/gone: the object was deleted after it was listed',
    'odd /bucket/pre/other: the object was replaced after it was listed; the snapshot has the newer one',
  ]);
  assert.equal(outcome.state, 'warning');
  const files = await filesOf(repository, outcome);
  assert.deepEqual(Object.keys(files), ['bucket/pre/kept', 'bucket/pre/other']);
  assert.equal(files['bucket/pre/other']!.attributes.etag, bucket.etagOf(Buffer.from('newer')));
  bucket.onPage = undefined;
  const next = await saveTo(repository, bucket);
  assert.equal(next.summary.filesUnmodified, 2, 'what was read, not what was listed, is compared with');
});

test('an object that cannot be read is lost and the rest saved; a place that is gone ends the backup', async () => {
  const bucket = new MemoryBucket();
  for (let i = 0; i < 30; i++) bucket.put(`object ${i}`, `content ${i}`);
  const { read } = bucket.objects;
  const failing = (code: 'storage.failed' | 'storage.unreachable') => {
    bucket.objects.read = (key, options) => {
      if (key === 'object 7') throw new StorageError(code, 'no such luck');
      return read(key, options);
    };
  };
  const repository = await smallRepository();
  failing('storage.failed');
  const outcome = await saveTo(repository, bucket);
  assert.equal(outcome.state, 'partial');
  assert.deepEqual(problemsOf(outcome), ['lost /bucket/pre/object 7: no such luck']);
  assert.equal(Object.keys(await filesOf(repository, outcome)).length, 29);
  failing('storage.unreachable');
  await assert.rejects(saveTo(repository, bucket), { code: 'storage.unreachable' });
});

test('a read that breaks goes on in the same content, and never in another', async () => {
  const bucket = new MemoryBucket();
  const content = 'x'.repeat(5000);
  bucket.put('a', content);
  bucket.put('b', content);
  const { read } = bucket.objects;
  const broken = new Set<string>();
  bucket.objects.read = async function* (key, options) {
    let seen = 0;
    for await (const piece of read(key, options)) {
      seen += piece.length;
      if (seen > 2000 && !broken.has(key)) {
        broken.add(key);
        if (key === 'b') bucket.put('b', 'y'.repeat(5000));
        throw new StorageError('storage.interrupted', 'the connection broke');
      }
      yield piece;
    }
  };
  const repository = await smallRepository();
  const outcome = await saveTo(repository, retry(bucket, { pauseMs: 1 }));
  assert.deepEqual(problemsOf(outcome), ['lost /bucket/pre/b: b was replaced while it was read']);
  assert.deepEqual(
    Object.entries(await filesOf(repository, outcome)).map(([path, { text }]) => [path, text]),
    [['bucket/pre/a', content]],
  );
  bucket.etagOf = () => '';
  broken.clear();
  bucket.put('a', content);
  const unmarked = await saveTo(repository, retry(bucket, { pauseMs: 1 }));
  assert.equal(unmarked.state, 'partial');
  assert.match(problemsOf(unmarked)[0]!, /^lost \/bucket\/pre\/a: the connection broke while a was read/);
});

test('tags are read as it was said, and tags that cannot be read are told', async () => {
  const bucket = new MemoryBucket();
  bucket.put('plain', '1');
  bucket.put('tagged', '2', { tags: { a: 'b' } });
  const asked = async (tags: TagReading) => {
    bucket.asked.length = 0;
    await saveTo(await smallRepository(), bucket, tags);
    return bucket.asked.filter((what) => what.startsWith('tags'));
  };
  assert.deepEqual(await asked('never'), []);
  assert.deepEqual(await asked('told'), ['tags tagged']);
  assert.deepEqual((await asked('always')).sort(), ['tags plain', 'tags tagged']);
  bucket.objects.tags = async () => {
    throw new StorageError('storage.access-denied', 'not for you');
  };
  const outcome = await saveTo(await smallRepository(), bucket);
  assert.deepEqual(problemsOf(outcome), ['odd /bucket/pre/tagged: saved without tags: not for you']);
});

test('a place without objects is refused rather than saved as nothing', async () => {
  await assert.rejects(saveTo(await smallRepository(), new MemoryBucket()), { code: 'sources.absent' });
});

test('any storage can be a source, in whatever order it lists', async () => {
  const storage = new MemoryStorage();
  for (const name of ['z', 'a/b', 'm-1', 'a/a', 'm/1']) await storage.write(name, Buffer.from(name));
  const repository = await smallRepository();
  const outcome = await saveTo(repository, storage);
  assert.deepEqual(Object.keys(await filesOf(repository, outcome)), [
    ...['bucket/pre/a/a', 'bucket/pre/a/b', 'bucket/pre/m/1', 'bucket/pre/m-1', 'bucket/pre/z'],
  ]);
  const again = await saveTo(repository, storage);
  assert.equal(again.summary.filesUnmodified, 0, 'nothing tells that they are the same');
});
