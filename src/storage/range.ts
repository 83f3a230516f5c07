import assert from 'node:assert/strict';
import { StorageError } from './errors.ts';
import type { ByteRange } from './storage.ts';

/** The range itself, or the whole of a file of that size. @throws StorageError 'storage.range' when the file ends before it does */
export function rangeWithin(name: string, sizeBytes: number, range: ByteRange | undefined): ByteRange {
  if (!range) return { offset: 0, length: sizeBytes };
  assertRange(range);
  if (range.offset + range.length > sizeBytes) throw tooShort(name, range);
  return range;
}

/** A range that is none is a mistake of ours. */
export function assertRange({ offset, length }: ByteRange): void {
  assert(Number.isSafeInteger(offset) && offset >= 0, `offset ${offset}`);
  assert(Number.isSafeInteger(length) && length >= 0, `length ${length}`);
}

/** The error for a file that ends before the range does. */
export function tooShort(name: string, { offset, length }: ByteRange): StorageError {
  return new StorageError(
    'storage.range',
    `cannot read ${name} up to byte ${offset + length}: it is shorter`,
    {
      hint: 'The file was cut. Run `holdfast check` to see what else is damaged.',
    },
  );
}
