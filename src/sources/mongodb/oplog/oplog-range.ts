import { createHash } from 'node:crypto';
import { SourceError } from '../../errors.ts';
import { documentsIn } from '../bson-bytes.ts';
import { markOf, type OplogEntry, type OplogMark, parseEntry } from './oplog-entry.ts';

/** Entries that follow each other, as a file has them: both ends are in it. */
export interface OplogRange {
  first: OplogMark;
  last: OplogMark;
  count: number;
  bytes: number;
  /** SHA-256 of the file, 64 lower-case hex digits. */
  checksum: string;
}

/** Gathers what a range is while its entries pass. */
export class OplogRangeBuilder {
  readonly #hash = createHash('sha256');
  #first: OplogEntry | undefined;
  #last: OplogEntry | undefined;
  #count = 0;
  #bytes = 0;

  add(entry: OplogEntry): void {
    this.#hash.update(entry.bytes);
    this.#first ??= entry;
    this.#last = entry;
    this.#count++;
    this.#bytes += entry.bytes.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Only once, and only after an entry was added. */
  range(): OplogRange {
    return {
      first: markOf(this.#first!),
      last: markOf(this.#last!),
      count: this.#count,
      bytes: this.#bytes,
      checksum: this.#hash.digest('hex'),
    };
  }
}

/**
 * The entries of a file, which must be what its manifest states; that is known when the last one has come.
 * @throws SourceError 'sources.damaged'
 */
export async function* entriesOf(
  stream: AsyncIterable<Uint8Array>,
  expected: OplogRange,
): AsyncGenerator<OplogEntry> {
  const builder = new OplogRangeBuilder();
  for await (const bytes of documentsIn(stream)) {
    const entry = parseEntry(bytes);
    builder.add(entry);
    yield entry;
  }
  if (builder.bytes === 0 || !isSameRange(builder.range(), expected))
    throw new SourceError('sources.damaged', 'the oplog in the snapshot is not what its manifest states', {
      hint: 'Run `holdfast check --read-data`.',
    });
}

function isSameRange(one: OplogRange, other: OplogRange): boolean {
  const facts = ({ first, last, count, bytes, checksum }: OplogRange) => [
    first.hash,
    last.hash,
    count,
    bytes,
    checksum,
  ];
  return facts(one).every((fact, i) => fact === facts(other)[i]);
}

export function isOplogRange(value: unknown): value is OplogRange {
  if (typeof value !== 'object' || value === null) return false;
  const { first, last, count, bytes, checksum } = value as Partial<OplogRange>;
  return (
    isOplogMark(first) &&
    isOplogMark(last) &&
    Number.isSafeInteger(count) &&
    Number.isSafeInteger(bytes) &&
    isDigest(checksum)
  );
}

export function isOplogMark(value: unknown): value is OplogMark {
  if (typeof value !== 'object' || value === null) return false;
  const { t, i, term, hash } = value as Partial<OplogMark>;
  return [t, i, term].every(Number.isSafeInteger) && isDigest(hash);
}

function isDigest(value: unknown): boolean {
  return /^[0-9a-f]{64}$/.test(String(value));
}
