import { Long, type RunCommandCursor, type Timestamp } from 'mongodb';
import { SourceError } from '../errors.ts';
import { assertDocument } from './bson-bytes.ts';
import type { MongoConnection } from './connection.ts';
import type { ContentHash } from './content-hash.ts';
import { mongoError } from './mongo-error.ts';
import type { RateLimit } from './rate-limit.ts';

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
  hash: ContentHash;
  rate: RateLimit;
  signal: AbortSignal;
}

/** Pieces of this size go to the repository; a larger document is one piece. */
const pieceBytes = 512 * 1024;
/** Some servers fill replies by count alone; this keeps one below what a message may have. */
const replyBytesGoal = 8 * 1024 * 1024;
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
    while (await hasNext(cursor, signal)) {
      const documents = cursor.readBufferedDocuments() as unknown as Uint8Array[];
      let largestBytes = 1;
      for (const document of documents) {
        assertDocument(document);
        hash.add(document);
        largestBytes = Math.max(largestBytes, document.length);
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
      const fitting = Math.floor(replyBytesGoal / largestBytes);
      cursor.setBatchSize(Math.min(options.batchSize, Math.max(1, fitting)));
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
  const { connection, database, collection, atClusterTime, isRawData, batchSize } = options;
  const command = {
    find: collection,
    filter: {},
    hint: { $natural: 1 },
    batchSize: Math.min(firstBatch, batchSize),
    ...(atClusterTime ? { readConcern: { level: 'snapshot', atClusterTime } } : {}),
    ...(isRawData ? { rawData: true } : {}),
  };
  return connection.db(database).runCursorCommand(command, connection.rawReads);
}

async function hasNext(cursor: RunCommandCursor, signal: AbortSignal): Promise<boolean> {
  signal.throwIfAborted();
  return cursor.hasNext();
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
