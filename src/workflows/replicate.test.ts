import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HoldfastError } from '#base';
import { MemoryStorage, type Storage, StorageError } from '#storage';
import { LeapingClock } from '../storage/testing/leaping-clock.ts';
import { type PlannedChange, type ReplicateOutcome, type ReplicateRequest, replicate } from './replicate.ts';
import { MemoryPlace, type MemoryService } from './testing/memory-place.ts';

type More = Omit<ReplicateRequest, 'from' | 'to'>;

function twoPlaces(): { from: MemoryPlace; to: MemoryPlace } {
  const service: MemoryService = { places: [], second: 0 };
  return { from: new MemoryPlace(service), to: new MemoryPlace(service) };
}

/** A place without the service's copies. */
function withoutCopies(place: MemoryPlace): MemoryPlace {
  return Object.assign(place, { copies: undefined });
}

async function succeed(from: Storage, to: Storage, more: More = {}): Promise<ReplicateOutcome['counts']> {
  const { state, problems, counts } = await replicate({ from, to, clock: new LeapingClock(), ...more });
  assert.deepEqual([state, problems], ['succeeded', []]);
  return counts;
}

function isCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof HoldfastError && error.code === code;
}

const anyDelete = { max: { percent: 100 } };

test('copies what is missing or changed, and nothing the second time', async () => {
  const { from, to } = twoPlaces();
  withoutCopies(to);
  from.put('a', 'first');
  from.put('folder/b', 'same');
  to.put('folder/b', 'same');
  from.put('c', 'new text');
  to.put('c', 'old text');
  to.put('only here', 'stays');
  const counts = await succeed(from, to);
  assert.deepEqual([counts.created, counts.replaced, counts.unchanged, counts.deleted], [1, 1, 1, 0]);
  assert.equal(counts.bytesCopied, 13);
  assert.deepEqual(to.contents(), { a: 'first', c: 'new text', 'folder/b': 'same', 'only here': 'stays' });
  to.asked.length = 0;
  assert.equal((await succeed(from, to)).unchanged, 3);
  assert.deepEqual(to.asked, []);
});

test('finds all differences of two thousand files, in whatever order they are listed', async () => {
  const [from, to] = [new MemoryStorage(), new MemoryStorage()];
  for (let i = 0; i < 2000; i++) {
    const name = `folder ${(i * 7) % 13}/é${(i * 7919) % 2000}`;
    if (i % 3 > 0) from.files.set(name, Buffer.from('x'.repeat(i % 50)));
    if (i % 5 > 0) to.files.set(name, Buffer.from('x'.repeat(i % 50)));
  }
  await succeed(from, to, { deletes: anyDelete });
  const textsOf = ({ files }: MemoryStorage) =>
    new Map([...files].sort().map(([name, bytes]) => [name, Buffer.from(bytes).toString()]));
  assert.deepEqual(textsOf(to), textsOf(from));
});

test('a target without etags counts as up to date when it was written after the source', async () => {
  const plain = (place: MemoryPlace): Storage =>
    Object.assign(place, {
      async *list() {
        for (const [name] of place.history) {
          const { etag: _, ...info } = (await place.stat(name))!;
          yield info;
        }
      },
    });
  const { from, to } = twoPlaces();
  to.put('older', 'text 1');
  from.put('older', 'text 2');
  from.put('newer', 'text 2');
  to.put('newer', 'text 1');
  await succeed(plain(from), plain(to));
  assert.deepEqual(to.contents(), { newer: 'text 1', older: 'text 2' });
  const counts = await succeed(plain(from), plain(to), { compareBy: 'content' });
  assert.deepEqual([counts.replaced, counts.unchanged], [1, 1]);
  assert.deepEqual(to.contents(), { newer: 'text 2', older: 'text 2' });
});

test('keeps content type, metadata and tags, and says when tags could not be read', async () => {
  const { from, to } = twoPlaces();
  withoutCopies(to);
  const metadata = { contentType: 'text/csv', user: { owner: 'anna' } };
  from.put('a', 'text', { ...metadata, tags: { k: 'v' }, storageClass: 'GLACIER' });
  await succeed(from, to);
  assert.deepEqual(to.metadataOf('a'), { ...metadata, tags: { k: 'v' } });
  from.put('b', 'text', { tags: { k: 'v' } });
  from.put('c', 'text', { tags: { k: 'v' } });
  from.areTagsTold = false;
  const { state, problems } = await replicate({ from, to });
  assert.equal(state, 'warning');
  assert.deepEqual(
    problems.map(({ path, gravity }) => [path, gravity]),
    [['tags', 'odd']],
  );
});

test('lets the service copy where both are at one, without reading a byte', async () => {
  const { from, to } = twoPlaces();
  from.put('a', 'text', { contentType: 'text/plain', tags: { k: 'v' } });
  const counts = await succeed(from, to);
  assert.deepEqual([counts.byService, counts.bytesCopied], [1, 4]);
  assert.deepEqual([from.asked, to.asked], [[], ['copy a']]);
  assert.deepEqual(to.metadataOf('a'), { contentType: 'text/plain', tags: { k: 'v' } });
});

test('copies itself when the service does not, and asks it no more', async () => {
  const { from, to } = twoPlaces();
  to.copyRefusal = new StorageError('storage.access-denied', 'no right');
  for (const name of ['a', 'b', 'c']) from.put(name, name);
  const counts = await succeed(from, to, { filesAtOnce: 1 });
  assert.equal(counts.byService, 0);
  assert.deepEqual(to.asked, ['copy a', 'write a', 'write b', 'write c']);
});

test('what does not arrive as it was read is a problem, and is not left there', async () => {
  const { from, to } = twoPlaces();
  withoutCopies(to);
  to.spoil = (bytes) => bytes.map((byte) => byte ^ 1);
  from.put('a', 'text');
  const { state, problems } = await replicate({ from, to });
  assert.equal(state, 'partial');
  assert(isCode('workflows.differs')(problems[0]?.error));
  assert.deepEqual(to.contents(), {});
});

test('with verify, reads back what the target tells nothing of', async () => {
  const spoiling = new MemoryStorage();
  const write = spoiling.write.bind(spoiling);
  spoiling.write = async (name) => write(name, Buffer.from('tent'));
  const from = new MemoryStorage(new Map([['a', Buffer.from('text')]]));
  const { state } = await replicate({ from, to: spoiling, verify: true });
  assert.equal(state, 'partial');
  assert.deepEqual([...spoiling.files], []);
});

test('deletes on request only, to the trash first, and never what the trash holds', async () => {
  const { from, to } = twoPlaces();
  from.put('a', 'a');
  to.put('a', 'a');
  to.put('b', 'b', { contentType: 'text/plain' });
  to.put('.holdfast-trash/before/x', 'x');
  const trash = '.holdfast-trash/now/';
  assert.equal((await succeed(from, to, { deletes: { max: { count: 1 }, trash } })).deleted, 1);
  const left = { '.holdfast-trash/before/x': 'x', '.holdfast-trash/now/b': 'b', a: 'a' };
  assert.deepEqual(to.contents(), left);
  assert.deepEqual(to.metadataOf('.holdfast-trash/now/b'), { contentType: 'text/plain' });
  assert.deepEqual(to.versionsOf('b'), ['b', ''], 'the versions of what is deleted stay');
  assert.deepEqual(await succeed(to, twoPlaces().to).then(({ created }) => created), 1);
});

test('moves to the trash where no service copies, and deletes without one', async () => {
  const files = () => new Map(['a', 'b', 'c'].map((name) => [name, Buffer.from(name)]));
  const from = new MemoryStorage(new Map([['a', Buffer.from('a')]]));
  const to = new MemoryStorage(files());
  await succeed(from, to, { deletes: { ...anyDelete, trash: 'bin/' } });
  assert.deepEqual([...to.files.keys()].sort(), ['a', 'bin/b', 'bin/c']);
  const other = new MemoryStorage(files());
  assert.equal((await succeed(from, other, { deletes: anyDelete })).deleted, 2);
  assert.deepEqual([...other.files.keys()], ['a']);
});

test('touches nothing when more would be deleted than allowed', async () => {
  const { from, to } = twoPlaces();
  for (let i = 0; i < 20; i++) to.put(`file ${i}`, 'text');
  for (let i = 3; i < 20; i++) from.put(`file ${i}`, i === 3 ? 'other' : 'text');
  const before = to.contents();
  const run = (deletes: ReplicateRequest['deletes']) => replicate({ from, to, deletes });
  await assert.rejects(run({ max: { percent: 10 } }), isCode('workflows.too-many-deletes'));
  await assert.rejects(run({ max: { count: 2 } }), isCode('workflows.too-many-deletes'));
  assert.deepEqual([to.contents(), to.asked], [before, []]);
  const nothing = new MemoryStorage();
  await assert.rejects(replicate({ from: nothing, to, deletes: { max: { percent: 99 } } }), {
    message: /20 of 20 files/,
  });
  assert.equal((await run({ max: { percent: 15 } })).counts.deleted, 3);
});

test('a dry run tells what would be done, and does nothing', async () => {
  const { from, to } = twoPlaces();
  from.put('a', 'text');
  from.put('b', 'text');
  to.put('b', 'longer');
  to.put('c', 'text');
  const changes: PlannedChange[] = [];
  const onChange = (change: PlannedChange) => changes.push(change);
  const { progress } = await replicate({ from, to, dryRun: true, deletes: anyDelete, onChange });
  assert.deepEqual(
    changes.map(({ action, name, sizeBytes }) => `${action} ${name} ${sizeBytes}`),
    ['create a 4', 'replace b 4', 'delete c 4'],
  );
  assert.deepEqual([progress.filesTotal, progress.bytesTotal, to.asked], [2, 8, []]);
});

test('patterns choose what is looked at on both sides', async () => {
  const { from, to } = twoPlaces();
  for (const name of ['a.txt', 'b.log', 'in/c.txt', 'in/d.log', 'out/e.txt']) from.put(name, name);
  to.put('out/gone', 'stays');
  const patterns = { includes: ['*.txt', '/in'], excludes: ['/out', 'd.*'] };
  await succeed(from, to, { ...patterns, deletes: { max: { count: 0 } } });
  assert.deepEqual(Object.keys(to.contents()), ['a.txt', 'in/c.txt', 'out/gone']);
});

test('a file that fails is a problem; the rest is copied, and nothing deleted', async () => {
  const { from, to } = twoPlaces();
  withoutCopies(to);
  for (const name of ['a', 'b', 'c']) from.put(name, name);
  to.put('gone', 'x');
  const read = from.objects.read;
  from.objects.read = (name) => {
    if (name === 'b') throw new StorageError('storage.access-denied', 'cannot read b');
    return read(name);
  };
  const { state, problems, counts } = await replicate({ from, to, deletes: anyDelete });
  assert.deepEqual(
    problems.map(({ path, gravity }) => [path, gravity]),
    [
      ['b', 'lost'],
      ['gone', 'odd'],
    ],
  );
  assert.deepEqual([state, counts.created, counts.deleted], ['partial', 2, 0]);
  assert.deepEqual(Object.keys(to.contents()), ['a', 'c', 'gone']);
});

test('a full target ends the work', async () => {
  const from = new MemoryStorage(new Map(['a', 'b'].map((name) => [name, Buffer.from(name)])));
  const to = new MemoryStorage();
  to.write = async () => {
    throw new StorageError('storage.no-space', 'full');
  };
  await assert.rejects(replicate({ from, to }), isCode('storage.no-space'));
});

test('a file that changes or vanishes while it is copied is taken as it is then', async () => {
  const { from, to } = twoPlaces();
  withoutCopies(to);
  from.put('grows', 'text');
  from.put('vanishes', 'text');
  const read = from.objects.read;
  from.objects.read = (name) => {
    if (name === 'vanishes') from.history.delete(name);
    else if (from.versionsOf(name).length === 1) from.put(name, 'longer text');
    return read(name);
  };
  const counts = await succeed(from, to);
  assert.deepEqual([counts.created, counts.vanished], [1, 1]);
  assert.deepEqual(to.contents(), { grows: 'longer text' });
});

test('replays versions in order, markers too, and goes on where it was cut off', async () => {
  const { from, to } = twoPlaces();
  for (const text of ['one', 'two', 'three']) from.put('a', text, { user: { text } });
  await from.retention.hide('a');
  from.put('a', 'four');
  from.put('b', 'kept');
  await from.retention.hide('b');
  const service = to.copies.copy;
  to.copies.copy = async (name, source) => {
    if (to.versionsOf('a').length === 2 && name === 'a')
      throw new StorageError('storage.unreachable', 'cut off');
    await service(name, source);
  };
  await assert.rejects(replicate({ from, to, isWithVersions: true }), isCode('storage.unreachable'));
  assert.deepEqual(to.versionsOf('a'), ['one', 'two']);
  to.copies.copy = service;
  const counts = await succeed(from, to, { isWithVersions: true });
  assert.deepEqual(to.versionsOf('a'), ['one', 'two', 'three', '', 'four']);
  assert.deepEqual(to.versionsOf('b'), ['kept', '']);
  assert(counts.versions >= 3);
  assert.equal((await succeed(from, to, { isWithVersions: true })).versions, 0);
  from.history.set('a', from.history.get('a')!.slice(3));
  from.put('a', 'five');
  assert.equal((await succeed(from, to, { isWithVersions: true })).versions, 1);
  assert.deepEqual(to.versionsOf('a').slice(-2), ['four', 'five']);
});

test('a marker that seems to come later, as those of one second do, brings no content twice', async () => {
  const { from, to } = twoPlaces();
  from.put('a', 'one');
  await from.retention.hide('a');
  from.put('a', 'two');
  await succeed(from, to, { isWithVersions: true });
  from.put('a', 'three');
  const [one, marker, two, three] = from.history.get('a')!;
  from.history.set('a', [one!, two!, { ...marker!, modifiedAt: two!.modifiedAt }, three!]);
  await succeed(from, to, { isWithVersions: true });
  assert.deepEqual(to.versionsOf('a').filter(Boolean), ['one', 'two', 'three']);
  assert.equal((await succeed(from, to, { isWithVersions: true })).versions, 0);
});

test('replayed versions keep their own metadata when they come by us', async () => {
  const { from, to } = twoPlaces();
  withoutCopies(to);
  from.put('a', 'one', { contentType: 'text/one', tags: { k: '1' } });
  from.put('a', 'two', { contentType: 'text/two' });
  await succeed(from, to, { isWithVersions: true });
  const kept = to.history.get('a')!.map(({ metadata }) => metadata);
  assert.deepEqual(kept, [{ contentType: 'text/one', tags: { k: '1' } }, { contentType: 'text/two' }]);
});

test('refuses what cannot be meant', async () => {
  const place = new MemoryStorage();
  const at = (location: string): Storage => Object.assign(new MemoryStorage(), { location });
  for (const [from, to] of [
    ['/srv/a', '/srv/a/replica'],
    ['/srv/a/', 'local:/srv/a'],
    ['s3:https://host/bucket', 's3:https://host/bucket/replica'],
  ] as const)
    await assert.rejects(replicate({ from: at(from), to: at(to) }), isCode('workflows.same-place'));
  await replicate({ from: at('/srv/a'), to: at('/srv/ab') });
  const { from } = twoPlaces();
  const versions = replicate({ from, to: place, isWithVersions: true });
  await assert.rejects(versions, isCode('workflows.unsupported'));
});
