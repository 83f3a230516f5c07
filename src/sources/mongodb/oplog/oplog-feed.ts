import { type Clock, systemClock } from '#base';
import { SourceError } from '../../errors.ts';
import type { Source } from '../../source.ts';
import { textOf } from '../bson-bytes.ts';
import type { OplogTime } from '../bson-values.ts';
import { MongoConnection } from '../connection.ts';
import { dumpEvents } from '../dump-events.ts';
import type { DumpFile } from '../dump-file.ts';
import { dumpFolder, oplogFileName } from '../manifest.ts';
import { folderOf } from '../mongo-url.ts';
import { newestTime } from './find-entry.ts';
import type { OplogEntry, OplogMark } from './oplog-entry.ts';
import { OplogRangeBuilder } from './oplog-range.ts';
import { oplogTagText } from './oplog-tag.ts';
import { OplogTail } from './oplog-tail.ts';
import { compareTimes, describeTime } from './oplog-time.ts';
import type { SliceManifest } from './slice-manifest.ts';
import { commandOf } from './transactions.ts';

/** A stretch of the oplog, in memory, to be saved as a snapshot of its own. */
export interface OplogSlice {
  source: Source;
  /** What the snapshot says of it. */
  tag: string;
  manifest: SliceManifest;
}

/** When a slice is full: whatever comes first. */
export interface SliceLimits {
  bytesMax: number;
  /** Once this entry is in it. */
  until?: OplogTime | undefined;
  durationMs?: number | undefined;
  /** Ends it early. */
  stop?: AbortSignal | undefined;
}

/** Cuts the oplog of a deployment into slices, each beginning with the last entry of the one before. */
export class OplogFeed {
  readonly #connection: MongoConnection;
  readonly #tail: OplogTail;
  readonly #clock: Clock;
  #last: OplogEntry;
  /** An entry that nothing replays. */
  #barrier: OplogEntry | undefined;

  private constructor(
    connection: MongoConnection,
    { tail, anchor, clock }: { tail: OplogTail; anchor: OplogEntry; clock: Clock },
  ) {
    this.#connection = connection;
    this.#tail = tail;
    this.#last = anchor;
    this.#clock = clock;
  }

  /**
   * Goes on where the oplog was left, which must be there as it was.
   * @throws SourceError 'sources.oplog-gap' | 'sources.oplog-rollback' when it is not
   */
  static async open(
    url: string,
    {
      after,
      signal,
      clock = systemClock,
    }: { after: OplogMark; signal: AbortSignal; clock?: Clock | undefined },
  ): Promise<OplogFeed> {
    const connection = await MongoConnection.open(url);
    const tail = new OplogTail({ connection, after, clock, signal });
    try {
      return new OplogFeed(connection, { tail, anchor: await tail.anchor(), clock });
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  /** How often reading broke off and went on without loss. */
  get reopened(): number {
    return this.#tail.reopened;
  }

  /** The newest entry that there is now. */
  newestTime(): Promise<OplogTime> {
    return newestTime(this.#connection);
  }

  /** Whether everything up to a time was taken. */
  hasReached(time: OplogTime): boolean {
    return compareTimes(this.#last.time, time) >= 0;
  }

  /**
   * The next slice; undefined when nothing came.
   * @throws SourceError, see `OplogTail.read`; 'sources.oplog-gap' after the last slice before an entry that nothing replays
   */
  async take({ bytesMax, until, durationMs, stop }: SliceLimits): Promise<OplogSlice | undefined> {
    if (this.#barrier) throw cannotCross(this.#barrier);
    const beganMs = this.#clock.monotonicMs();
    const builder = new OplogRangeBuilder();
    const pieces = [this.#last.bytes];
    builder.add(this.#last);
    const isFull = (): boolean =>
      builder.bytes >= bytesMax ||
      stop?.aborted === true ||
      this.#barrier !== undefined ||
      (until !== undefined && this.hasReached(until)) ||
      (durationMs !== undefined && this.#clock.monotonicMs() - beganMs >= durationMs);
    while (!isFull())
      for (const entry of await this.#tail.read()) {
        this.#barrier ??= isBarrier(entry) ? entry : undefined;
        if (this.#barrier) break;
        builder.add(entry);
        pieces.push(entry.bytes);
        this.#last = entry;
      }
    if (pieces.length === 1) {
      if (this.#barrier) throw cannotCross(this.#barrier);
      return undefined;
    }
    return this.#sliceOf(builder, pieces);
  }

  async close(): Promise<void> {
    await this.#tail.close();
    await this.#connection.close();
  }

  #sliceOf(builder: OplogRangeBuilder, pieces: readonly Uint8Array[]): OplogSlice {
    const range = builder.range();
    const manifest: SliceManifest = {
      format: 'holdfast-mongodb-oplog',
      version: 1,
      takenAt: new Date(this.#clock.nowMs()).toISOString(),
      server: this.#connection.server,
      ...range,
    };
    const place = { folder: folderOf(this.#connection.url), clock: this.#clock };
    const tag = oplogTagText({ from: range.first, to: range.last });
    return { source: sliceSource(place, pieces, manifest), tag, manifest };
  }
}

/** Commands by which data or its form comes from elsewhere than the oplog. */
const barrierCommands = new Set(['importCollection', 'upgradeDowngradeViewlessTimeseries']);

/** mongodump refuses the same ones: also a change of the feature compatibility. */
function isBarrier(entry: OplogEntry): boolean {
  const { op, namespace, o, o2 } = entry;
  if (op === 'c') return barrierCommands.has(commandOf(entry));
  return namespace === 'admin.system.version' && textOf(o2 ?? o, '_id') === 'featureCompatibilityVersion';
}

function cannotCross(entry: OplogEntry): SourceError {
  const what = entry.op === 'c' ? commandOf(entry) : 'a change of the feature compatibility';
  return new SourceError(
    'sources.oplog-gap',
    `nothing is replayed over ${what} at ${describeTime(entry.time)}`,
    {
      hint: 'A new full backup begins a new line; what was saved before restores up to that time.',
    },
  );
}

/** `/mongodb-HOST/dump/oplog.bson`, so that mongorestore takes it, and the manifest beside the dump's folder. */
function sliceSource(
  { folder, clock }: { folder: string; clock: Clock },
  pieces: readonly Uint8Array[],
  manifest: SliceManifest,
): Source {
  const oplog: DumpFile = {
    name: oplogFileName,
    isVital: true,
    async *open() {
      yield* pieces;
    },
  };
  return {
    paths: [`/${folder}/${dumpFolder}/${oplogFileName}`],
    streamConcurrency: 1,
    read: () =>
      dumpEvents(
        {
          entries: () => [oplog],
          finish: async () => [],
          async *manifest() {
            yield Buffer.from(`${JSON.stringify(manifest, undefined, 1)}\n`);
          },
        },
        folder,
        clock,
      ),
    close: async () => {},
  };
}
