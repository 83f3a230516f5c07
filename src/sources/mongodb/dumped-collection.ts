import type { Timestamp } from 'mongodb';
import type { SourceError } from '../errors.ts';
import { findElement } from './bson-bytes.ts';
import type { MongoConnection } from './connection.ts';
import { canBeAtTime, isReadAt } from './consistency.ts';
import { ContentHash } from './content-hash.ts';
import { type DataPlace, dataPlaceOf } from './data-place.ts';
import { type DumpFile, textFile } from './dump-file.ts';
import { dumpStemOf } from './dump-names.ts';
import { valueToExtendedJson } from './extended-json.ts';
import { chooseRanges } from './id-ranges.ts';
import type { ListedCollection } from './list-namespaces.ts';
import type { CollectionManifest } from './manifest.ts';
import { metadataJson } from './metadata-json.ts';
import { mongoCodeOf } from './mongo-error.ts';
import type { RateLimit } from './rate-limit.ts';
import { readCollection, readRanges } from './read-collection.ts';
import type { Slots } from './slots.ts';

export interface DumpedCollectionOptions {
  connection: MongoConnection;
  listed: ListedCollection;
  atClusterTime: Timestamp | undefined;
  batchSize: number;
  /** A collection that holds so much is read in parts; 1 GiB by default. */
  splitBytes?: number | undefined;
  rate: RateLimit;
  slots: Slots;
  /** Asked before reading, and told of what broke it: the error by which the server is gone, if it is. */
  isGone(error?: unknown): Promise<SourceError | undefined>;
}

/** One collection, view or time series of a dump. */
export class DumpedCollection {
  readonly database: string;
  readonly name: string;
  /** Whether it has a data file; a view has none. */
  readonly hasData: boolean;
  /** Resolves when its data was read, or lost. */
  readonly ended: Promise<void>;
  /** Why its data is lost. */
  error: Error | undefined;
  /** Whether whoever took the data stopped: then the fault is theirs, and they tell it. */
  isGivenUp = false;
  /** Whether it was read at the dump's time. */
  isAtTime = false;
  readonly #options: DumpedCollectionOptions;
  readonly #hash = new ContentHash();
  readonly #end: () => void;
  #counted: { before: number; after: number } | undefined;
  #ids: { minId?: string; maxId?: string } = {};
  #isTimeRefused = false;

  constructor(options: DumpedCollectionOptions) {
    this.#options = options;
    const { database, name, type } = options.listed;
    this.database = database;
    this.name = name;
    this.hasData = type !== 'view';
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = this.hasData ? promise : Promise.resolve();
    this.#end = resolve;
  }

  get namespace(): string {
    return `${this.database}.${this.name}`;
  }

  files(): DumpFile[] {
    const metadata = textFile(this.#metadataName, metadataJson(this.#options.listed));
    if (!this.hasData) return [metadata];
    // A collection that cannot be read does not take the others with it.
    return [{ name: this.#dataName, isVital: false, open: (signal) => this.#read(signal) }, metadata];
  }

  /** What is strange about what was read. */
  oddities(): string[] {
    if (!this.hasData || this.error) return [];
    const oddities: string[] = [];
    if (this.#isTimeRefused)
      oddities.push('it could not be read at the time of the others, and was read as it came');
    if (this.#counted && !this.isAtTime) {
      const { before, after } = this.#counted;
      const { count } = this.#hash.summary();
      if (count < Math.min(before, after) || count > Math.max(before, after))
        oddities.push(
          `${count} documents were read, but the server counted ${before} before and ${after} after`,
        );
    }
    return oddities;
  }

  manifest(): CollectionManifest {
    const { listed } = this.#options;
    return {
      database: this.database,
      name: this.name,
      ...(listed.type ? { type: listed.type } : {}),
      ...(listed.uuid ? { uuid: listed.uuid } : {}),
      metadataFile: `${this.database}/${this.#metadataName}`,
      ...(this.hasData ? { dataFile: `${this.database}/${this.#dataName}` } : {}),
      ...(this.hasData && !this.error ? { content: this.#hash.summary() } : {}),
      ...(this.#counted ? { counted: this.#counted } : {}),
      ...this.#ids,
      info: base64(listed.info),
      indexes: listed.indexes.map(base64),
    };
  }

  get #metadataName(): string {
    return `${dumpStemOf(this.name)}.metadata.json`;
  }

  get #dataName(): string {
    return `${dumpStemOf(this.#place.collection)}.bson`;
  }

  get #place(): DataPlace {
    return dataPlaceOf(this.#options.listed, this.#options.connection.server);
  }

  async *#read(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const { connection, batchSize, rate, slots } = this.#options;
    const { collection, isRawData } = this.#place;
    let isWhole = false;
    await slots.acquire();
    try {
      const gone = await this.#options.isGone();
      if (gone) throw gone;
      const before = await this.#count(collection);
      const atClusterTime = await this.#timeFor(collection);
      this.#ids = await this.#findIds(collection);
      const reading = {
        connection,
        database: this.database,
        collection,
        atClusterTime,
        isRawData,
        batchSize,
        hash: this.#hash,
        rate,
        signal,
      };
      const { splitBytes, listed } = this.#options;
      const { maxId } = this.#ids;
      const ranges = await chooseRanges(connection, listed, { atClusterTime, maxId, splitBytes });
      yield* ranges ? readRanges(reading, ranges) : readCollection(reading);
      this.isAtTime = atClusterTime !== undefined;
      const after = await this.#count(collection);
      if (before !== undefined && after !== undefined) this.#counted = { before, after };
      isWhole = true;
    } catch (error) {
      this.error = error as Error;
      await this.#options.isGone(error);
      throw error;
    } finally {
      if (!isWhole && !this.error) {
        this.isGivenUp = true;
        this.error = new Error('reading it was given up');
      }
      slots.release();
      this.#end();
    }
  }

  /** By the server's metadata, at once. Unknown where the server does not tell. */
  async #count(collection: string): Promise<number | undefined> {
    const reply = await this.#options.connection.tryCommand(this.database, { count: collection });
    return typeof reply?.n === 'number' ? reply.n : undefined;
  }

  async #timeFor(collection: string): Promise<Timestamp | undefined> {
    const { connection, listed, atClusterTime } = this.#options;
    if (!atClusterTime || !canBeAtTime(connection, listed)) return undefined;
    try {
      if (await isReadAt(connection, { database: this.database, collection }, atClusterTime))
        return atClusterTime;
    } catch (error) {
      if (mongoCodeOf(error) === undefined) throw error;
    }
    this.#isTimeRefused = true;
    return undefined;
  }

  /** For people who look for a range; read before the data, so not a proof. */
  async #findIds(collection: string): Promise<{ minId?: string; maxId?: string }> {
    const [minId, maxId] = await Promise.all([1, -1].map((order) => this.#firstId(collection, order)));
    return { ...(minId ? { minId } : {}), ...(maxId ? { maxId } : {}) };
  }

  async #firstId(collection: string, order: number): Promise<string | undefined> {
    const command = {
      find: collection,
      sort: { _id: order },
      projection: { _id: 1 },
      limit: 1,
      singleBatch: true,
    };
    const what = `cannot find the least and greatest _id of ${this.namespace}`;
    try {
      const [first] = await this.#options.connection.rawDocuments(this.database, command, what);
      const id = first && findElement(first, '_id');
      return id && valueToExtendedJson(id);
    } catch (error) {
      // Without an index on _id a server may refuse to sort.
      if (mongoCodeOf(error) === undefined) throw error;
      return undefined;
    }
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
