import { ReadPreference, type RunCommandCursor } from 'mongodb';
import type { Clock } from '#base';
import { SourceError } from '../../errors.ts';
import type { MongoConnection } from '../connection.ts';
import { isUnreachable, mongoCodeOf, mongoError } from '../mongo-error.ts';
import { majority, oldestEntry, rolledBack, rolledOver, timestampOf } from './find-entry.ts';
import { markOf, type OplogEntry, type OplogMark, parseEntry } from './oplog-entry.ts';
import { compareTimes } from './oplog-time.ts';

const what = 'cannot read the oplog (local.oplog.rs)';
/** How long the server waits for new entries before it answers without any. */
const awaitMs = 1000;
/** Between two questions to a server that does not wait. */
const pauseMs = 500;
const batchSize = 10_000;
/** Consecutive failures after which the reading is given up; about half a minute. */
const attemptsMax = 6;

/** Cursors die, members step down and restart: what the server's documentation calls retryable. */
const retryableCodes = new Set([
  6, 7, 43, 89, 91, 112, 136, 175, 189, 237, 262, 9001, 10107, 11600, 11602, 13435, 13436,
]);

export interface OplogTailOptions {
  connection: MongoConnection;
  /** The entry that was had last. */
  after: OplogMark;
  clock: Clock;
  signal: AbortSignal;
}

/**
 * Reads the oplog on from an entry, as a majority has it. Whenever it is opened, that entry must still be there and be
 * the same, or there is a gap; so a cursor that died and a member that stepped down cost nothing.
 */
export class OplogTail {
  /** How often reading broke off and went on without loss. */
  reopened = 0;
  readonly #options: OplogTailOptions;
  #after: OplogMark;
  #anchor: OplogEntry | undefined;
  /** Came with the anchor. */
  #pending: OplogEntry[] = [];
  #cursor: RunCommandCursor | undefined;
  /** A member that lags may not have the entry yet, one made anew may have lost it: the primary decides. */
  #asksPrimary = false;

  constructor(options: OplogTailOptions) {
    this.#options = options;
    this.#after = options.after;
  }

  /** The last entry that was had. */
  get after(): OplogMark {
    return this.#after;
  }

  /** The entry where reading began, as it is there now. @throws SourceError, see `read` */
  async anchor(): Promise<OplogEntry> {
    if (!this.#anchor) this.#pending = await this.#persist(() => this.#open());
    return this.#anchor!;
  }

  /**
   * The entries that came after the last one; none when nothing came for a while.
   * @throws SourceError 'sources.oplog-gap' | 'sources.oplog-rollback', or what kept it from reading
   */
  async read(): Promise<OplogEntry[]> {
    if (this.#pending.length > 0) return this.#pending.splice(0);
    const { clock, signal } = this.#options;
    const beganMs = clock.monotonicMs();
    const entries = await this.#persist(() => this.#readBatch());
    if (entries.length === 0 && clock.monotonicMs() - beganMs < pauseMs)
      await clock.sleep(pauseMs, { signal });
    return entries;
  }

  async close(): Promise<void> {
    const cursor = this.#cursor;
    this.#cursor = undefined;
    // What a dead connection says to this is of no interest any more.
    await cursor?.close().catch(() => {});
  }

  async #persist<Result>(work: () => Promise<Result>): Promise<Result> {
    const { clock, signal, connection } = this.#options;
    for (let attempt = 1; ; attempt++) {
      signal.throwIfAborted();
      try {
        return await work();
      } catch (cause) {
        await this.close();
        signal.throwIfAborted();
        const error = mongoError(cause, what, connection.url);
        const isOther = isOtherHistory(error);
        const isFinal = isOther ? this.#asksPrimary : !isWorthRetry(error);
        if (isFinal || attempt === attemptsMax) throw error;
        this.#asksPrimary ||= isOther;
        await clock.sleep(pauseMs * 2 ** (attempt - 1), { signal });
      }
    }
  }

  async #readBatch(): Promise<OplogEntry[]> {
    if (!this.#cursor) {
      const first = await this.#open();
      if (first.length > 0) return first;
    }
    const documents = await nextDocuments(this.#cursor!);
    // A server that does not wait ends the cursor instead.
    if (documents.length === 0 && isDead(this.#cursor!)) await this.close();
    return this.#take(documents);
  }

  /** @returns what came with the entry that was had last */
  async #open(): Promise<OplogEntry[]> {
    const { connection } = this.#options;
    const after = this.#after;
    const command = {
      find: 'oplog.rs',
      filter: { ts: { $gte: timestampOf(after) } },
      tailable: true,
      awaitData: true,
      batchSize,
      readConcern: majority,
    };
    const readPreference = this.#asksPrimary ? ReadPreference.primaryPreferred : connection.readPreference;
    const options = { raw: true, readPreference, cursorType: 'tailableAwait' } as const;
    const cursor = connection.db('local').runCursorCommand(command, options);
    cursor.setMaxTimeMS(awaitMs);
    cursor.setBatchSize(batchSize);
    this.#cursor = cursor;
    const [first, ...more] = await nextDocuments(cursor);
    await this.#assertGoesOn(first);
    if (this.#anchor) this.reopened++;
    this.#anchor ??= parseEntry(first!);
    return this.#take(more);
  }

  /** Looked at with the entry in hand: it may vanish between two questions. */
  async #assertGoesOn(bytes: Uint8Array | undefined): Promise<void> {
    const after = this.#after;
    const found = bytes && markOf(parseEntry(bytes));
    if (found?.hash === after.hash && found.term === after.term) return;
    if (found && compareTimes(found, after) === 0) throw rolledBack(after);
    const oldest = await oldestEntry(this.#options.connection);
    throw compareTimes(oldest.time, after) > 0 ? rolledOver(after, oldest.time) : rolledBack(after);
  }

  #take(documents: readonly Uint8Array[]): OplogEntry[] {
    const entries = documents.map(parseEntry);
    let { t, i, term } = this.#after;
    for (const entry of entries) {
      // Another history, or no oplog at all.
      if (compareTimes(entry.time, { t, i }) <= 0 || entry.term < term) throw rolledBack(this.#after);
      ({ t, i } = entry.time);
      term = entry.term;
    }
    const last = entries.at(-1);
    if (last) this.#after = markOf(last);
    return entries;
  }
}

/** All that one reply brings, as copies: a view would keep the whole reply alive. */
async function nextDocuments(cursor: RunCommandCursor): Promise<Uint8Array[]> {
  const first = await cursor.tryNext();
  const documents = first ? [first, ...cursor.readBufferedDocuments()] : [];
  return documents.map((document) => Buffer.from(document as unknown as Uint8Array));
}

function isDead(cursor: RunCommandCursor): boolean {
  return !cursor.id || cursor.id.isZero();
}

function isOtherHistory(error: unknown): boolean {
  return error instanceof SourceError && /^sources\.oplog-(gap|rollback)$/.test(error.code);
}

function isWorthRetry(error: unknown): boolean {
  return isUnreachable(error) || retryableCodes.has(mongoCodeOf(error) ?? 0);
}
