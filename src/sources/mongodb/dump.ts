import { type Clock, messageOf } from '#base';
import { SourceError } from '../errors.ts';
import type { SourceProblem } from '../source.ts';
import { compareListings } from './compare-listings.ts';
import type { MongoConnection } from './connection.ts';
import { chooseReadTime, notOneTime, type ReadTime } from './consistency.ts';
import type { DumpDatabase, DumpedEntries } from './dump-events.ts';
import { type DumpFile, textFile, whenAborted } from './dump-file.ts';
import { isBeyondMongorestore } from './dump-names.ts';
import { DumpedCollection } from './dumped-collection.ts';
import { LagPause } from './lag-pause.ts';
import { type ListedCollection, type Listing, listNamespaces } from './list-namespaces.ts';
import type { Consistency, DumpManifest, DumpOplog } from './manifest.ts';
import { isUnreachable } from './mongo-error.ts';
import type { DumpChoice } from './namespaces.ts';
import {
  dumpOplogOf,
  findOplogStart,
  needsCapture,
  type OplogStart,
  type OplogWish,
} from './oplog/choose-capture.ts';
import { OplogCapture } from './oplog/oplog-capture.ts';
import { describeTime } from './oplog/oplog-time.ts';
import { RateLimit } from './rate-limit.ts';
import { Slots } from './slots.ts';

export interface DumpSettings extends DumpChoice {
  batchSize: number;
  collectionsAtOnce: number;
  oplog: OplogWish;
  bytesPerSecond?: number | undefined;
  splitBytes?: number | undefined;
  /** Reading pauses while a secondary is further behind. */
  lagMsMax?: number | undefined;
  clock: Clock;
}

const lagMsMax = 60_000;
/** mongodump's version whose layout this is. */
const toolVersion = '100.18.0';

/** One dump while it is made: what lies where, what was read of it, and what went wrong. */
export class Dump implements DumpedEntries {
  readonly #connection: MongoConnection;
  readonly #settings: DumpSettings;
  readonly #startedAt: Date;
  readonly #listing: Listing;
  readonly #readTime: ReadTime;
  readonly #start: OplogStart;
  readonly #capture: OplogCapture | undefined;
  readonly #collections: DumpedCollection[];
  readonly #problems: SourceProblem[] = [];
  readonly #signal: AbortSignal;
  #gone: Promise<SourceError | undefined> | undefined;
  #endedAt: Date | undefined;

  private constructor(
    connection: MongoConnection,
    settings: DumpSettings,
    found: {
      startedAt: Date;
      start: OplogStart;
      listing: Listing;
      readTime: ReadTime;
      capture: OplogCapture | undefined;
      signal: AbortSignal;
    },
  ) {
    this.#connection = connection;
    this.#settings = settings;
    this.#startedAt = found.startedAt;
    this.#listing = found.listing;
    this.#readTime = found.readTime;
    this.#start = found.start;
    this.#capture = found.capture;
    this.#signal = found.signal;
    const rate = new RateLimit(
      settings.clock,
      settings.bytesPerSecond,
      new LagPause(connection, settings.clock, settings.lagMsMax ?? lagMsMax),
    );
    const slots = new Slots(settings.collectionsAtOnce);
    this.#collections = found.listing.collections.map(
      (listed) =>
        new DumpedCollection({
          connection,
          listed,
          // What the oplog completes is read as it comes: then no server must keep history.
          atClusterTime: found.capture ? undefined : found.readTime.atClusterTime,
          slots,
          batchSize: settings.batchSize,
          splitBytes: settings.splitBytes,
          rate,
          isGone: (error) => this.#isGone(error),
        }),
    );
  }

  /** Lists what there is and chooses the time of reading. @throws SourceError */
  static async begin(
    connection: MongoConnection,
    settings: DumpSettings,
    signal: AbortSignal,
  ): Promise<Dump> {
    const startedAt = new Date(settings.clock.nowMs());
    const start = await findOplogStart(connection);
    const listing = await listNamespaces(connection, settings);
    if (listing.collections.length === 0 && settings.database !== undefined) {
      const name = [settings.database, settings.collection].filter(Boolean).join('.');
      throw new SourceError('sources.absent', `there is no ${name} that could be dumped`, {
        hint: 'Check the name, the patterns, and that this user may see it.',
      });
    }
    const readTime = await chooseReadTime(connection, listing.collections);
    const { oplog, bytesPerSecond, clock } = settings;
    const isWanted =
      oplog === 'always' ||
      (oplog === 'auto' && (await needsCapture(connection, listing.collections, readTime, bytesPerSecond)));
    const capture =
      isWanted && 'entry' in start ? new OplogCapture({ connection, start: start.entry, clock }) : undefined;
    return new Dump(connection, settings, { startedAt, start, listing, readTime, capture, signal });
  }

  /** What lies in the dump's folder, the oplog first, the others in order of names; every `open` is called once. */
  entries(): (DumpFile | DumpDatabase)[] {
    const { database } = this.#settings;
    const files = new Map<string, DumpFile[]>();
    for (const collection of this.#collections) {
      const list = files.get(collection.database) ?? [];
      list.push(...collection.files());
      files.set(collection.database, list);
    }
    const prelude = textFile('prelude.json', this.#prelude());
    if (database !== undefined) files.get(database)?.push(prelude);
    const databases = [...files].map(([name, list]) => ({ name, files: list.sort(byName) }));
    const others = [...databases, ...(database === undefined ? [prelude] : [])].sort(byName);
    const dataEnded = Promise.all(this.#collections.map(({ ended }) => ended));
    return this.#capture ? [this.#capture.file(dataEnded), ...others] : others;
  }

  /**
   * Waits until every collection was read, then compares with what is there now.
   * @throws SourceError when nothing at all could be read
   */
  async finish(): Promise<SourceProblem[]> {
    const streams = [...this.#collections, ...(this.#capture ? [this.#capture] : [])];
    await Promise.race([Promise.all(streams.map(({ ended }) => ended)), whenAborted(this.#signal)]);
    const lost = this.#collections.filter(({ error }) => error);
    const data = this.#collections.filter(({ hasData }) => hasData);
    const own = lost.find(({ isGivenUp }) => !isGivenUp);
    if (own && lost.length === data.length) throw own.error!;
    for (const name of this.#listing.unfitDatabases)
      this.#note(name, 'lost', 'no folder can have this name; mongodump would refuse it too');
    for (const collection of this.#collections) this.#judge(collection);
    for (const namespace of this.#capture?.renamed ?? [])
      if (this.#collections.some((one) => one.namespace === namespace))
        this.#note(namespace, 'lost', 'it was renamed while the dump ran, and may not be whole');
    await this.#compareWithNow();
    this.#endedAt = new Date(this.#settings.clock.nowMs());
    // What a stream lost was told when it ended; what is told here comes into the manifest with it.
    return this.#problems;
  }

  /** Where the oplog joins, when the dump is finished. */
  get oplog(): DumpOplog | undefined {
    return dumpOplogOf(this.#start, this.#readTime, this.#capture);
  }

  /** The text of the manifest, when the dump is finished. */
  async *manifest(): AsyncGenerator<Uint8Array> {
    const lost = this.#collections.flatMap(({ namespace, error }) =>
      error ? [{ namespace, gravity: 'lost' as const, message: error.message }] : [],
    );
    const odd = this.#problems.map(({ path, gravity, error }) => ({
      namespace: path,
      gravity,
      message: error.message,
    }));
    const { oplog } = this;
    const manifest: DumpManifest = {
      format: 'holdfast-mongodb-dump',
      version: 1,
      startedAt: this.#startedAt.toISOString(),
      endedAt: this.#endedAt!.toISOString(),
      server: this.#connection.server,
      choice: this.#choice(),
      consistency: this.#consistency(),
      ...(oplog ? { oplog } : {}),
      collections: this.#collections.map((collection) => collection.manifest()),
      problems: [...lost, ...odd],
    };
    yield Buffer.from(`${JSON.stringify(manifest, undefined, 1)}\n`);
  }

  #prelude(): string {
    const { version } = this.#connection.server;
    return `{"ServerVersion":${JSON.stringify(version)},"ToolVersion":"${toolVersion}"}`;
  }

  #choice(): DumpChoice {
    const { database, collection, includes, excludes, withUsers } = this.#settings;
    return { database, collection, includes, excludes, withUsers };
  }

  #consistency(): Consistency {
    const { consistency } = this.#readTime;
    if (this.#capture) return this.#consistencyByOplog(this.#capture);
    if (consistency.kind === 'none') {
      const absence =
        'absence' in this.#start ? `; by the oplog it cannot become one: ${this.#start.absence}` : '';
      return { ...consistency, sentence: `${consistency.sentence}${absence}` };
    }
    const others = this.#collections.filter((one) => one.hasData && !one.isAtTime);
    return { ...consistency, notAtTime: others.map(({ namespace }) => namespace) };
  }

  #consistencyByOplog({ range, error }: OplogCapture): Consistency {
    if (!range)
      return { kind: 'none', sentence: `${notOneTime} (${error?.message ?? 'no oplog'})`, notAtTime: [] };
    const sentence = `one point in time by its oplog: when it is replayed, everything is as it was at ${describeTime(range.last)}`;
    return { kind: 'oplog', sentence, notAtTime: [] };
  }

  #judge(collection: DumpedCollection): void {
    const { namespace, name } = collection;
    for (const message of collection.oddities()) this.#note(namespace, 'odd', message);
    if (isBeyondMongorestore(name))
      this.#note(namespace, 'odd', 'mongorestore 100.18 cannot restore a name like this; Holdfast can');
  }

  async #compareWithNow(): Promise<void> {
    let now: ListedCollection[];
    try {
      now = (await listNamespaces(this.#connection, this.#settings)).collections;
    } catch (error) {
      const message = `whether collections came, went or changed meanwhile is not known: ${messageOf(error)}`;
      return this.#note(this.#connection.url.hosts[0]!, 'odd', message);
    }
    const isAtTime = this.#readTime.atClusterTime !== undefined;
    for (const { namespace, message } of compareListings(this.#listing.collections, now, { isAtTime }))
      this.#note(namespace, 'odd', message);
  }

  #note(path: string, gravity: 'lost' | 'odd', message: string): void {
    this.#problems.push({ path, gravity, error: new Error(message) });
  }

  /** After the first broken connection: whether the server still answers at all. Then the others need not try. */
  async #isGone(error?: unknown): Promise<SourceError | undefined> {
    if (error !== undefined && isUnreachable(error))
      this.#gone ??= this.#connection.command('admin', { ping: 1 }, 'the server is gone').then(
        () => {
          this.#gone = undefined;
          return undefined;
        },
        () => error as SourceError,
      );
    return this.#gone;
  }
}

/** By the bytes of the names, as a snapshot has them. */
function byName(one: { name: string }, other: { name: string }): number {
  return Buffer.compare(Buffer.from(one.name), Buffer.from(other.name));
}
