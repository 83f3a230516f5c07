import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StorageError } from '#storage';
import { checkRepository } from '../check/check-repository.ts';
import { memoryStorage } from '../format/testing/memory-storage.ts';
import type { Repository } from '../repository.ts';
import { noise, readBack, reopen, smallRepository, writeStreams } from '../testing/streamed-repository.ts';

const mebi = 1024 * 1024;
const shared = noise(3 * mebi);

/** A stream of the shared bytes that stands still at its end until it is let go. */
function heldStream() {
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield shared;
    begun.resolve();
    await go.promise;
  }
  return { pieces, begun: begun.promise, end: go.resolve, fail: go.reject };
}

async function expectSound(repository: Repository): Promise<void> {
  const report = await checkRepository(repository, { readData: 'all' });
  assert.deepEqual(
    report.findings.filter(({ gravity }) => gravity === 'error'),
    [],
  );
}

test('a second session does not rely on blobs that the first has only claimed', async () => {
  const { repository, storage } = await smallRepository();
  const held = heldStream();
  const first = writeStreams(repository, { first: held.pieces });
  await held.begun;
  const second = await writeStreams(repository, { second: shared });
  // As if the first had died here: what another process sees of the second is whole.
  const other = await reopen(
    memoryStorage(new Map([...storage.files].filter(([name]) => !name.startsWith('locks/')))),
  );
  await expectSound(other);
  assert.deepEqual(await readBack(other, second, '/second'), Buffer.from(shared));
  assert.ok(second.summary.dataBlobs > 0, 'it stored the blobs itself');
  held.end();
  const written = await first;
  assert.deepEqual(await readBack(repository, written, '/first'), Buffer.from(shared));
  assert.deepEqual(await readBack(repository, second, '/second'), Buffer.from(shared));
  await expectSound(repository);
});

test('a second session succeeds when the first fails later', async () => {
  const { repository } = await smallRepository();
  const held = heldStream();
  const first = writeStreams(repository, { first: held.pieces }, { onProblem: () => {} });
  await held.begun;
  const second = await writeStreams(repository, { second: shared });
  held.fail(new Error('the source broke'));
  const { problems } = await first;
  assert.deepEqual(
    problems.map(({ path, gravity }) => `${path} ${gravity}`),
    ['/first lost'],
  );
  assert.deepEqual(await readBack(repository, second, '/second'), Buffer.from(shared));
  await expectSound(repository);
});

test('what a second session wrote is known at once, and stored no more', async () => {
  const { repository } = await smallRepository();
  const held = heldStream();
  const first = writeStreams(repository, { first: held.pieces });
  await held.begun;
  const second = await writeStreams(repository, { second: 'other bytes' });
  assert.equal((await readBack(repository, second, '/second')).toString(), 'other bytes');
  held.end();
  await first;
  const third = await writeStreams(repository, { third: shared, fourth: 'other bytes' });
  assert.equal(third.summary.dataBlobs, 0);
  assert.equal((await readBack(repository, second, '/second')).toString(), 'other bytes');
});

test('sessions one after the other share one index, which is loaded once', async () => {
  const storage = memoryStorage();
  const reads: string[] = [];
  const watched = {
    ...storage,
    read: (...[name, ...rest]: Parameters<typeof storage.read>) => {
      reads.push(name);
      return storage.read(name, ...rest);
    },
  };
  const { repository } = await smallRepository({ storage: watched });
  for (const name of ['a', 'b', 'c']) await writeStreams(repository, { [name]: name });
  assert.deepEqual(
    reads.filter((name) => name.startsWith('index/')),
    [],
  );
});

test('a failed storage fails the snapshot; what it claimed is stored by the next one', async () => {
  const storage = memoryStorage();
  let isFull = true;
  const { repository } = await smallRepository({
    storage: {
      ...storage,
      write: async (name, content, options) => {
        if (isFull && name.startsWith('data/'))
          throw new StorageError('storage.no-space', 'the storage is full');
        await storage.write(name, content, options);
      },
    },
  });
  await assert.rejects(writeStreams(repository, { first: shared }), { code: 'storage.no-space' });
  assert.deepEqual(await repository.snapshots(), []);
  isFull = false;
  const second = await writeStreams(repository, { second: shared });
  assert.ok(second.summary.dataBlobs > 0);
  await expectSound(repository);
});

test('a dry run writes nothing, and its claims are forgotten', async () => {
  const { repository, storage } = await smallRepository();
  const before = [...storage.files.keys()];
  const dry = await writeStreams(repository, { one: shared }, { dryRun: true });
  assert.equal(dry.snapshot, undefined);
  assert.ok(dry.summary.dataBlobs > 0);
  assert.deepEqual([...storage.files.keys()], before);
  const { summary } = await writeStreams(repository, { one: shared });
  assert.equal(summary.dataBlobs, dry.summary.dataBlobs);
  await expectSound(repository);
});
