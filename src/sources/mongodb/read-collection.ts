import { Long, type RunCommandCursor, type Timestamp } from 'mongodb';
import { SourceError } from '../errors.ts';
import { assertDocument } from './bson-bytes.ts';
import type { MongoConnection } from './connection.ts';
import type { ContentHash } from './content-hash.ts';
import type { IdRange } from './id-ranges.ts';
import { mongoError } from './mongo-error.ts';
import { orderedDocument } from './ordered-document.ts';
import type { RateLimit } from './rate-limit.ts';
import { ReadAhead } from './read-ahead.ts';

export interface ReadCollectionOptions {
  connection: MongoConnection;
  database: string;
  /** Where the data lies: for a time series its buckets. */
  collection: string;
  /** Read as of this time. */
  atClusterTime?: Timestamp | undefined;
  /** Newer servers hold the buckets of a time series under its own name. */
  isRawData?: boolean | undefined;
  /** Most documents of one reply. */
  batchSize: number;
  /** Only this part, in the order of `_id`. */
  range?: IdRange | undefined;
  hash: ContentHash;
  rate: RateLimit;
  signal: AbortSignal;
}

/** Pieces of this size go to the repository; a larger document is one piece. */
const pieceBytes = 512 * 1024;
/** Some servers fill replies by count alone; this keeps one below what a message may have. */
const replyBytesGoal = 4 * 1024 * 1024;
/** Parts of one collection that are read at once, and what may wait of each that is not yet its turn. */
const rangesAtOnce = 3;
const aheadBytesMax = 4 * 1024 * 1024;
const firstBatch = 16;

/**
 * The documents of a collection in the server's own order, byte for byte, back to back, in pieces.
 * @throws SourceError when the cursor did not come to its end
 */
export async function* readCollection(options: ReadCollectionOptions): AsyncGenerator<Uint8Array> {
  const { connection, database, collection, hash, rate, signal } = options;
  const what = `cannot read ${database}.${collection}`;
  const cursor = openCursor(options);
  const piece = new Piece();
  try {
    let next = nextReply(cursor);
    while (await next) {
      signal.throwIfAborted();
      const documents = cursor.readBufferedDocuments() as unknown as Uint8Array[];
      cursor.setBatchSize(countFor(documents, options.batchSize));
      // The server gathers the next reply while this one is worked on.
      next = nextReply(cursor);
      for (const document of documents) {
        assertDocument(document);
        hash.add(document);
        if (!piece.hasRoom(document)) {
          await rate.pay(piece.length, signal);
          yield piece.take();
        }
        piece.add(document);
      }
      if (piece.length > 0) {
        await rate.pay(piece.length, signal);
        yield piece.take();
      }
    }
    assertEnded(cursor, what);
  } catch (error) {
    signal.throwIfAborted();
    throw mongoError(error, what, connection.url);
  } finally {
    // What a dead connection says to this is of no interest any more.
    await cursor.close().catch(() => {});
  }
}

function openCursor(options: ReadCollectionOptions): RunCommandCursor {
  const { connection, database, collection, atClusterTime, isRawData, batchSize, range } = options;
  const command = {
    find: collection,
    filter: {},
    ...(range
      ? {
          hint: { _id: 1 },
          ...(range.min ? { min: orderedDocument(range.min) } : {}),
          ...(range.max ? { max: orderedDocument(range.max) } : {}),
        }
      : { hint: { $natural: 1 } }),
    batchSize: Math.min(firstBatch, batchSize),
    ...(atClusterTime ? { readConcern: { level: 'snapshot', atClusterTime } } : {}),
    ...(isRawData ? { rawData: true } : {}),
  };
  return connection.db(database).runCursorCommand(command, connection.rawReads);
}

function nextReply(cursor: RunCommandCursor): Promise<boolean> {
  const next = cursor.hasNext();
  // Whoever awaits it is told; when nobody does any more, the reason was told already.
  next.catch(() => {});
  return next;
}

/** How many documents make a reply of about the size that is wanted. */
function countFor(documents: readonly Uint8Array[], batchSize: number): number {
  const largestBytes = documents.reduce((largest, { length }) => Math.max(largest, length), 1);
  return Math.min(batchSize, Math.max(1, Math.floor(replyBytesGoal / largestBytes)));
}

/**
 * Reads a collection in parts, some of them at once. What comes out is in the order of the parts, so that an unchanged
 * collection is the same file again.
 */
export async function* readRanges(
  options: Omit<ReadCollectionOptions, 'range'>,
  ranges: readonly IdRange[],
): AsyncGenerator<Uint8Array> {
  const started: ReadAhead[] = [];
  const start = (range: IdRange | undefined): void => {
    if (range) started.push(new ReadAhead(readCollection({ ...options, range }), aheadBytesMax));
  };
  const rest = ranges.values();
  try {
    for (let i = 0; i < rangesAtOnce; i++) start(rest.next().value);
    for (let current = started.shift(); current; current = started.shift()) {
      try {
        yield* current.read();
      } finally {
        current.giveUp();
      }
      start(rest.next().value);
    }
  } finally {
    for (const one of started) one.giveUp();
  }
}

/** A cursor that was closed before the server said that there is no more has lost documents. */
function assertEnded(cursor: RunCommandCursor, what: string): void {
  if (!cursor.id || Long.ZERO.equals(cursor.id)) return;
  throw new SourceError('sources.mongodb', `${what}: the cursor did not come to its end`);
}

/** Documents copied together: each is a view on a whole reply, which would stay in memory. */
class Piece {
  #bytes: Buffer = Buffer.alloc(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  hasRoom(document: Uint8Array): boolean {
    return this.#length === 0 || this.#length + document.length <= this.#bytes.length;
  }

  add(document: Uint8Array): void {
    if (this.#length === 0) this.#bytes = Buffer.allocUnsafeSlow(Math.max(pieceBytes, document.length));
    this.#bytes.set(document, this.#length);
    this.#length += document.length;
  }

  /** What was added, for the reader to keep; begins anew. */
  take(): Uint8Array {
    const full = this.#bytes.subarray(0, this.#length);
    this.#length = 0;
    return full;
  }
}
