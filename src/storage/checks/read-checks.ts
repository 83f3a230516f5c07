import assert from 'node:assert/strict';
import { readInto } from '../content.ts';
import type { CheckSite, StorageCheck } from './check.ts';
import { expectContent, expectError, expectReason, itemsOf, randomBytes } from './expect.ts';

const MiB = 1024 * 1024;

export const readChecks: readonly StorageCheck[] = [
  { name: 'reads back what was written, at once', run: readsBack },
  { name: 'keeps an empty file', run: keepsEmptyFile },
  { name: 'keeps a file of 20 MiB', isHeavy: true, run: keepsLargeFile },
  { name: 'reads ranges at every edge', run: readsRanges },
  { name: 'reads into given memory and no further', run: readsIntoMemory },
  { name: 'refuses a range that ends behind the file', run: refusesRangeBehindEnd },
  { name: 'says that a file is not there', run: saysNotThere },
  { name: 'lets a reader stop early', run: letsReaderStop },
  { name: 'reads no further than a slow reader takes', isHeavy: true, run: holdsBackForSlowReader },
  { name: 'ends a read that is aborted', run: endsAbortedRead },
];

async function readsBack({ storage, folder, random }: CheckSite): Promise<void> {
  const name = `${folder}file`;
  for (const sizeBytes of [1, 100_000, 10]) {
    const bytes = randomBytes(random, sizeBytes);
    await storage.write(name, bytes);
    await expectContent(storage, name, bytes);
    const info = await storage.stat(name);
    assert.equal(info?.name, name);
    assert.equal(info?.sizeBytes, sizeBytes);
  }
}

async function keepsEmptyFile({ storage, folder }: CheckSite): Promise<void> {
  const name = `${folder}empty`;
  await storage.write(name, new Uint8Array());
  await expectContent(storage, name, new Uint8Array());
  await expectContent(storage, name, new Uint8Array(), { offset: 0, length: 0 });
  assert.equal((await storage.stat(name))?.sizeBytes, 0);
}

async function keepsLargeFile({ storage, folder, random }: CheckSite): Promise<void> {
  const name = `${folder}large`;
  const bytes = randomBytes(random, 20 * MiB + 1);
  await storage.write(name, bytes);
  await expectContent(storage, name, bytes);
  const range = { offset: MiB - 1, length: 16 * MiB + 2 };
  await expectContent(storage, name, bytes.subarray(range.offset, range.offset + range.length), range);
}

async function readsRanges({ storage, folder, random }: CheckSite): Promise<void> {
  const name = `${folder}ranges`;
  const size = 300_000;
  const bytes = randomBytes(random, size);
  await storage.write(name, bytes);
  const ranges = [
    [0, 0],
    [0, 1],
    [0, size],
    [1, size - 1],
    [size - 1, 1],
    [size, 0],
    [65_535, 65_538],
  ] as const;
  for (const [offset, length] of ranges)
    await expectContent(storage, name, bytes.subarray(offset, offset + length), { offset, length });
}

async function readsIntoMemory({ storage, folder, random }: CheckSite): Promise<void> {
  const name = `${folder}into`;
  const bytes = randomBytes(random, 3 * MiB);
  await storage.write(name, bytes);
  const range = { offset: 1000, length: 2 * MiB + 1 };
  const memory = new Uint8Array(new SharedArrayBuffer(range.length + 2)).fill(7);
  await readInto(storage, name, { range, target: memory.subarray(1) });
  const expected = new Uint8Array(memory.length).fill(7);
  expected.set(bytes.subarray(range.offset, range.offset + range.length), 1);
  assert(Buffer.compare(memory, expected) === 0, 'the memory holds other bytes than were written');
}

async function refusesRangeBehindEnd({ storage, folder, random }: CheckSite): Promise<void> {
  const name = `${folder}short`;
  await storage.write(name, randomBytes(random, 1000));
  const ranges = [
    [0, 1001],
    [999, 2],
    [1000, 1],
    [5000, 10],
    [1001, 0],
  ] as const;
  for (const [offset, length] of ranges)
    await expectError('storage.range', itemsOf(storage.read(name, { offset, length })));
}

async function saysNotThere({ storage, folder }: CheckSite): Promise<void> {
  await storage.write(`${folder}sub/file`, new Uint8Array(1));
  for (const name of [`${folder}absent`, `${folder}sub/absent`, `${folder}none/absent`, `${folder}sub`]) {
    await expectError('storage.not-found', itemsOf(storage.read(name)));
    await expectError('storage.not-found', itemsOf(storage.read(name, { offset: 0, length: 1 })));
    assert.equal(await storage.stat(name), undefined, name);
  }
}

async function letsReaderStop({ storage, folder, random }: CheckSite): Promise<void> {
  const name = `${folder}file`;
  const bytes = randomBytes(random, 2 * MiB);
  await storage.write(name, bytes);
  for (let i = 0; i < 10; i++) {
    for await (const piece of storage.read(name)) {
      assert(piece.length > 0, 'an empty piece');
      break;
    }
  }
  await expectContent(storage, name, bytes);
}

const slowReaderPauseMs = 100;
/** Of a 20 MiB file; sockets and pipes buffer a little. */
const readAheadBytesMax = 8 * MiB;

async function holdsBackForSlowReader({ storage, folder, random, clock }: CheckSite): Promise<void> {
  const name = `${folder}large`;
  await storage.write(name, randomBytes(random, 20 * MiB));
  const pieces = storage.read(name)[Symbol.asyncIterator]();
  const before = process.memoryUsage();
  await pieces.next();
  await clock.sleep(slowReaderPauseMs);
  const after = process.memoryUsage();
  await pieces.return?.();
  // `external` counts array buffers too.
  const grownBytes = after.external - before.external;
  assert(grownBytes <= readAheadBytesMax, `${grownBytes} bytes were read ahead of a reader that waits`);
}

async function endsAbortedRead({ storage, folder, random }: CheckSite): Promise<void> {
  const name = `${folder}large`;
  await storage.write(name, randomBytes(random, 3 * MiB));
  const reason = new Error('enough');
  await expectReason(reason, itemsOf(storage.read(name, undefined, { signal: AbortSignal.abort(reason) })));
  const abort = new AbortController();
  const readUntilAborted = async () => {
    for await (const _piece of storage.read(name, undefined, { signal: abort.signal })) abort.abort(reason);
  };
  await expectReason(reason, readUntilAborted());
}
