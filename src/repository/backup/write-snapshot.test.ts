import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { StorageError } from '#storage';
import { checkRepository } from '../check/check-repository.ts';
import { inlineExecutor, threadExecutor } from '../executor/executor.ts';
import { memoryStorage } from '../format/testing/memory-storage.ts';
import { SimulatedClock } from '../format/testing/simulated-clock.ts';
import type { Repository } from '../repository.ts';
import { noise, readBack, reopen, smallRepository, writeStreams } from '../testing/streamed-repository.ts';
import { streamAttributes, writeSnapshot } from './write-snapshot.ts';

const kibi = 1024;

async function expectSound(repository: Repository): Promise<void> {
  const report = await checkRepository(repository, { readData: 'all' });
  assert.deepEqual(report.findings, []);
}

/** Pieces of a stream, with a breath between them, so that streams take turns. */
function inPieces(bytes: Uint8Array, pieceBytes: number): () => AsyncGenerator<Uint8Array> {
  return async function* () {
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      yield bytes.subarray(at, at + pieceBytes);
      await setImmediate();
    }
  };
}

for (const [name, executor] of [
  ['inline', inlineExecutor],
  ['thread', () => threadExecutor(2)],
] as const) {
  test(`two hundred streams at once over few slots all arrive whole (${name} lanes)`, async () => {
    const { repository } = await smallRepository({ executor: executor() });
    const contents = Array.from({ length: 200 }, (_, i) => noise(i % 3 === 0 ? 700 * kibi + i : 100 + i));
    const streams = Object.fromEntries(contents.map((bytes, i) => [`s${i}`, inPieces(bytes, 90 * kibi)]));
    const written = await writeStreams(repository, streams, { streamConcurrency: 200 });
    assert.equal(written.summary.filesNew, 200);
    assert.equal(
      written.summary.totalBytesProcessed,
      contents.reduce((sum, { length }) => sum + length, 0),
    );
    for (const [i, bytes] of contents.entries()) {
      if (i % 20 !== 0) continue;
      assert.deepEqual(await readBack(repository, written, `/s${i}`), Buffer.from(bytes));
    }
    await expectSound(repository);
  });

  test(`streams of every size around the cuts keep every byte (${name} lanes)`, async () => {
    const { repository } = await smallRepository({ executor: executor() });
    const sizes = [
      0,
      1,
      512 * kibi - 1,
      512 * kibi,
      512 * kibi + 1,
      8192 * kibi,
      8192 * kibi + 1,
      9000 * kibi,
    ];
    // Zeros have no cut point, so that each chunk has the largest size.
    const contents = sizes.map((size, i) => (i % 2 === 0 ? new Uint8Array(size) : noise(size)));
    const streams = Object.fromEntries(contents.map((bytes, i) => [`s${i}`, inPieces(bytes, 333_333)]));
    const written = await writeStreams(repository, streams);
    for (const [i, bytes] of contents.entries()) {
      assert.ok((await readBack(repository, written, `/s${i}`)).equals(bytes), `${sizes[i]} bytes`);
    }
    await expectSound(repository);
  });
}

test('a source may use its buffer again for the next piece', async () => {
  const { repository } = await smallRepository();
  async function* reusing(): AsyncGenerator<Uint8Array> {
    const buffer = Buffer.alloc(1000);
    for (let i = 0; i < 3; i++) yield buffer.fill(`${i}`);
  }
  const written = await writeStreams(repository, { reusing });
  const wanted = ['0', '1', '2'].map((digit) => digit.repeat(1000)).join('');
  assert.equal((await readBack(repository, written, '/reusing')).toString(), wanted);
});

test('a stream that fails loses its file and no other', async () => {
  const { repository } = await smallRepository();
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield noise(900 * kibi);
    throw new Error('the server went away');
  }
  const problems: string[] = [];
  const written = await writeStreams(
    repository,
    { before: 'one', broken, after: 'two' },
    { onProblem: ({ path, error, gravity }) => problems.push(`${path} ${gravity}: ${error.message}`) },
  );
  assert.deepEqual(problems, ['/broken lost: the server went away']);
  assert.equal((await readBack(repository, written, '/after')).toString(), 'two');
  await assert.rejects(repository.findNode(written.snapshot!, '/broken'), {
    code: 'repository.path-not-found',
  });
  await expectSound(repository);
});

test('a stream that fails again while it is closed loses its file only', async () => {
  const { repository } = await smallRepository();
  const open = (): AsyncIterable<Uint8Array> => ({
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.reject(new Error('the first fault')),
      return: () => Promise.reject(new Error('the second fault')),
    }),
  });
  const { problems } = await writeStreams(repository, { broken: open, whole: 'x' });
  assert.deepEqual(
    problems.map(({ error }) => error.message),
    ['the first fault'],
  );
});

test('when the storage fails no snapshot is written, every source is closed, and nothing runs any more', async () => {
  const storage = memoryStorage();
  const closed: string[] = [];
  let writes = 0;
  const { repository } = await smallRepository({
    executor: threadExecutor(2),
    storage: {
      ...storage,
      write: async (name, content, options) => {
        writes++;
        if (name.startsWith('data/')) throw new StorageError('storage.unreachable', 'the storage is gone');
        await storage.write(name, content, options);
      },
    },
  });
  const source = (name: string) =>
    async function* (): AsyncGenerator<Uint8Array> {
      try {
        for (;;) {
          yield noise(600 * kibi);
          await setImmediate();
        }
      } finally {
        closed.push(name);
      }
    };
  const names = Array.from({ length: 12 }, (_, i) => `s${i}`);
  const streams = Object.fromEntries(names.map((name) => [name, source(name)]));
  const writing = writeStreams(repository, streams, {
    streamConcurrency: 50,
    packSizeBytes: 4 * 1024 * kibi,
  });
  await assert.rejects(writing, { code: 'storage.unreachable' });
  assert.deepEqual(closed.toSorted(), names.toSorted());
  assert.deepEqual(
    [...storage.files.keys()].filter((name) => /^(snapshots|locks|index)\//.test(name)),
    [],
  );
  const writesThen = writes;
  for (let i = 0; i < 20; i++) await setImmediate();
  assert.equal(writes, writesThen);
});

test('a cancelled backup ends soon, even when its source hangs', async () => {
  const { repository, storage } = await smallRepository();
  const cancel = new AbortController();
  const begun = Promise.withResolvers<void>();
  async function* hanging(): AsyncGenerator<Uint8Array> {
    yield noise(kibi);
    begun.resolve();
    await new Promise(() => {});
  }
  const writing = writeStreams(repository, { hanging }, { signal: cancel.signal });
  await begun.promise;
  cancel.abort(new Error('cancelled by its user'));
  await assert.rejects(writing, /cancelled by its user/);
  assert.deepEqual(
    [...storage.files.keys()].filter((name) => /^(snapshots|locks)\//.test(name)),
    [],
  );
});

test('when the walk fails the streams under way are closed and no snapshot is written', async () => {
  const { repository, storage } = await smallRepository();
  let isClosed = false;
  const began = Promise.withResolvers<void>();
  async function* endless(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        yield noise(kibi);
        began.resolve();
        await setImmediate();
      }
    } finally {
      isClosed = true;
    }
  }
  const writing = writeSnapshot(repository, { paths: ['/x'], streamConcurrency: 5 }, async (writer) => {
    await writer.addFile(Buffer.from('endless'), streamAttributes(0n), { open: endless });
    await began.promise;
    throw new Error('the walk failed');
  });
  await assert.rejects(writing, /the walk failed/);
  assert.ok(isClosed);
  assert.deepEqual(
    [...storage.files.keys()].filter((name) => name.startsWith('snapshots/')),
    [],
  );
});

test('takes the newest snapshot of the same host and paths as parent, and can skip what is unchanged', async () => {
  const { repository } = await smallRepository();
  const first = await writeStreams(repository, { a: 'one' });
  const same = await writeStreams(repository, { a: 'one' }, { skipIfUnchanged: true });
  assert.equal(same.parent?.id, first.snapshot!.id);
  assert.equal(same.snapshot, undefined);
  const other = await writeStreams(
    repository,
    { a: 'one' },
    { paths: ['/elsewhere'], skipIfUnchanged: true },
  );
  assert.equal(other.parent, undefined);
  assert.ok(other.snapshot);
});

test('what changes in a folder above the paths makes no snapshot when unchanged ones are skipped', async () => {
  const { repository } = await smallRepository();
  const write = (upperMtimeNs: bigint, content: string) =>
    writeSnapshot(repository, { paths: ['/upper/shop'], skipIfUnchanged: true }, async (writer) => {
      const folder = { ...streamAttributes(0n), type: 'dir' as const, inode: 1n };
      await writer.enterFolder(Buffer.from('upper'), { ...folder, mtimeNs: upperMtimeNs });
      await writer.enterFolder(Buffer.from('shop'), folder);
      await writer.addFile(Buffer.from('a'), streamAttributes(0n), {
        open: async function* () {
          yield Buffer.from(content);
        },
      });
      writer.leaveFolder();
      writer.leaveFolder();
    });
  assert.ok((await write(1n, 'one')).snapshot);
  assert.equal((await write(2n, 'one')).snapshot, undefined);
  assert.ok((await write(2n, 'two')).snapshot);
  await expectSound(repository);
});

test("the parent's tree is used again only when every entry came again as it was, and no other did", async () => {
  const { repository } = await smallRepository();
  const first = await writeStreams(repository, { a: 'one', b: 'two' });
  const next = (streams: Record<string, string>) =>
    writeStreams(repository, streams, { parent: first.snapshot! });
  const again = await next({ b: 'two', a: 'one' });
  assert.equal(again.tree, first.tree);
  assert.equal(again.summary.treeBlobs, 0);
  for (const streams of [
    { a: 'one' },
    { a: 'one', b: 'TWO' },
    { a: 'one', c: 'two' },
    { a: 'one', b: 'two', c: '' },
  ]) {
    const written = await next(streams);
    const nodes = await repository.readTree(written.tree);
    assert.deepEqual(
      nodes.map(({ name }) => Buffer.from(name).toString()),
      Object.keys(streams),
    );
    for (const [name, content] of Object.entries(streams))
      assert.equal((await readBack(repository, written, `/${name}`)).toString(), content);
  }
  await expectSound(repository);
});

test('refuses to write when the newest snapshot is far ahead of the clock', async () => {
  const { repository } = await smallRepository();
  const aheadNs = BigInt(Date.now() + 3_600_000) * 1_000_000n;
  await writeStreams(repository, { a: 'one' }, { timeNs: aheadNs });
  await assert.rejects(writeStreams(repository, { a: 'two' }), {
    code: 'repository.clock',
    message: /59|60/,
  });
  assert.ok((await writeStreams(repository, { a: 'two' }, { timeNs: aheadNs + 1n })).snapshot);
});

test('takes times from the clock that was given', async () => {
  const clock = new SimulatedClock(Date.UTC(2030, 0, 1));
  const { repository } = await smallRepository({ clock });
  const { snapshot } = await clock.run(writeStreams(repository, { a: 'one' }));
  assert.equal(snapshot!.timeNs / 1_000_000_000n, BigInt(Date.UTC(2030, 0, 1) / 1000));
});

test('refuses to write into a repository of version 1', async () => {
  const { repository } = await smallRepository();
  Object.assign(repository.config, { version: 1 });
  await assert.rejects(writeStreams(repository, { a: 'one' }), { code: 'repository.version' });
});

test('reads everything again when the parent is damaged, and says so', async () => {
  const { repository, storage } = await smallRepository();
  const first = await writeStreams(repository, { a: noise(1000) });
  const place = (await repository.index()).places('tree', first.tree)[0]!;
  const pack = (await repository.index()).packs.idOf(place.pack);
  storage.files.delete(`data/${pack.slice(0, 2)}/${pack}`);
  const reopened = await reopen(storage);
  const second = await writeStreams(reopened, { a: noise(1000), b: noise(10) });
  assert.deepEqual(
    second.problems.map(({ path, gravity }) => [path, gravity]),
    [['/', 'odd']],
  );
  assert.equal(second.summary.filesNew, 2);
  assert.equal((await readBack(reopened, second, '/b')).length, 10);
});
