import type { Clock } from '#base';
import { textOf } from '../bson-bytes.ts';
import type { OplogTime } from '../bson-values.ts';
import type { MongoConnection } from '../connection.ts';
import type { DumpFile } from '../dump-file.ts';
import { oplogFileName } from '../manifest.ts';
import { newestTime } from './find-entry.ts';
import { markOf, type OplogEntry } from './oplog-entry.ts';
import { type OplogRange, OplogRangeBuilder } from './oplog-range.ts';
import { OplogTail } from './oplog-tail.ts';
import { compareTimes } from './oplog-time.ts';
import { commandOf } from './transactions.ts';

/**
 * The oplog from before the first read of a dump to after the last, in one file at the dump's root, as mongodump has
 * it. It is read while the dump runs, so that it cannot roll over unseen.
 */
export class OplogCapture {
  /** Resolves when it was read, or lost. */
  readonly ended: Promise<void>;
  /** What the file has; undefined when it was lost. */
  range: OplogRange | undefined;
  error: Error | undefined;
  /** Collections that were renamed meanwhile: what was read by the old name may not be whole. */
  readonly renamed = new Set<string>();
  readonly #options: { connection: MongoConnection; start: OplogEntry; clock: Clock };
  readonly #end: () => void;

  constructor(options: { connection: MongoConnection; start: OplogEntry; clock: Clock }) {
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#end = resolve;
  }

  /** @param dataEnded when the last read has ended: from then on the file may end too */
  file(dataEnded: Promise<unknown>): DumpFile {
    return {
      name: oplogFileName,
      // Without it there is still a dump, though not of a single point in time.
      isVital: false,
      open: (signal) => this.#read(dataEnded, signal),
    };
  }

  async *#read(dataEnded: Promise<unknown>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const { connection, start, clock } = this.#options;
    const tail = new OplogTail({ connection, after: markOf(start), clock, signal });
    const builder = new OplogRangeBuilder();
    let isDataRead = false;
    void dataEnded.then(() => {
      isDataRead = true;
    });
    try {
      const anchor = await tail.anchor();
      builder.add(anchor);
      yield anchor.bytes;
      let end: OplogTime | undefined;
      while (!end || compareTimes(tail.after, end) < 0) {
        for (const entry of await tail.read()) {
          builder.add(entry);
          this.#look(entry);
          yield entry.bytes;
        }
        if (isDataRead) end ??= await newestTime(connection);
      }
      this.range = builder.range();
    } catch (error) {
      this.error = error as Error;
      throw error;
    } finally {
      if (!this.range) this.error ??= new Error('reading it was given up');
      await tail.close();
      this.#end();
    }
  }

  #look(entry: OplogEntry): void {
    if (entry.op !== 'c' || commandOf(entry) !== 'renameCollection') return;
    this.renamed.add(textOf(entry.o, 'renameCollection') ?? '');
  }
}
