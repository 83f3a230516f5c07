import assert from 'node:assert/strict';
import { collect, type Random } from '#base';
import { StorageError, type StorageErrorCode } from '../errors.ts';
import type { ByteRange, Storage } from '../storage.ts';

/** Fails when the file, or the range of it, holds anything else. */
export async function expectContent(
  storage: Storage,
  name: string,
  expected: Uint8Array,
  range?: ByteRange,
): Promise<void> {
  const actual = await collect(storage.read(name, range));
  const where = range ? `${name}, ${range.length} bytes from ${range.offset}` : name;
  // assert.deepEqual would print megabytes.
  assert.equal(actual.length, expected.length, `length of ${where}`);
  assert(Buffer.compare(actual, expected) === 0, `${where} holds other bytes than were written`);
}

/** Fails unless the work is rejected with the code. */
export async function expectError(code: StorageErrorCode, work: Promise<unknown>): Promise<void> {
  const [outcome] = await Promise.allSettled([work]);
  assert(outcome.status === 'rejected', `succeeded instead of failing with ${code}`);
  const { reason } = outcome;
  if (!(reason instanceof StorageError)) throw reason;
  assert.equal(reason.code, code, reason.message);
  assert(reason.hint, `${code} has no hint`);
}

/** Fails unless the work is rejected with this very reason. */
export async function expectReason(reason: unknown, work: Promise<unknown>): Promise<void> {
  const [outcome] = await Promise.allSettled([work]);
  assert(outcome.status === 'rejected', 'succeeded although it was aborted or its stream failed');
  assert.equal(outcome.reason, reason);
}

/** Fails when the folder lists anything. */
export async function expectNothing(storage: Storage, folder: string): Promise<void> {
  assert.deepEqual(await listedNames(storage, folder), []);
}

/** What a prefix lists, sorted. */
export async function listedNames(storage: Storage, prefix: string): Promise<string[]> {
  const infos = await itemsOf(storage.list(prefix));
  return infos.map(({ name }) => name).sort();
}

export function randomBytes(random: Random, sizeBytes: number): Uint8Array {
  return random.fill(new Uint8Array(sizeBytes));
}

/** Everything that a stream yields. */
export async function itemsOf<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) items.push(item);
  return items;
}
