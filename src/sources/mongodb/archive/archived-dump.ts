import { SourceError } from '../../errors.ts';
import type { SourceProblem } from '../../source.ts';
import { documentOf } from '../bson-build.ts';
import { type BsonElement, bsonTypes, elementsOf, findElement, textOf } from '../bson-bytes.ts';
import { ContentHash } from '../content-hash.ts';
import type { DumpDatabase, DumpedEntries } from '../dump-events.ts';
import { type DumpFile, textFile, whenAborted } from '../dump-file.ts';
import { dumpStemOf, isDatabaseName } from '../dump-names.ts';
import { quoteJson } from '../extended-json.ts';
import { fromExtendedJson } from '../from-extended-json.ts';
import { type CollectionManifest, type DumpManifest, oplogFileName } from '../manifest.ts';
import type { ArchiveHeader, ArchiveNamespace } from './archive-format.ts';
import { type ArchiveEvent, keyOf } from './read-archive.ts';
import type { Extent, Spool } from './spool.ts';

const bufferedBytesMax = 256 * 1024;

/** The documents of a namespace, put aside. */
interface Stored {
  extents: Extent[];
  hash: ContentHash;
  pieces: Uint8Array[];
  bytes: number;
}

/** What an archive holds, collected until its end. */
export class ArchivedDump implements DumpedEntries {
  readonly #spool: Spool;
  readonly #startedAt: Date;
  readonly #stored = new Map<string, Stored>();
  #header: ArchiveHeader | undefined;
  #collections: ArchivedCollection[] = [];
  #hasOplog = false;
  #endedAt: Date | undefined;
  readonly #reads: Promise<void>[] = [];
  readonly #signal: AbortSignal;

  constructor(spool: Spool, { startedAt, signal }: { startedAt: Date; signal: AbortSignal }) {
    this.#spool = spool;
    this.#startedAt = startedAt;
    this.#signal = signal;
  }

  async add(event: ArchiveEvent): Promise<void> {
    if (event.kind === 'prelude') return this.#begin(event.header, event.namespaces);
    const key = keyOf(event.database, event.collection);
    const stored = this.#stored.get(key) ?? { extents: [], hash: new ContentHash(), pieces: [], bytes: 0 };
    this.#stored.set(key, stored);
    if (event.kind === 'document') {
      stored.hash.add(event.document);
      stored.pieces.push(event.document);
      stored.bytes += event.document.length;
    }
    if (stored.bytes > 0 && (event.kind === 'end' || stored.bytes >= bufferedBytesMax)) {
      stored.extents.push(await this.#spool.append(Buffer.concat(stored.pieces)));
      Object.assign(stored, { pieces: [], bytes: 0 });
    }
  }

  end(endedAt: Date): void {
    this.#endedAt = endedAt;
  }

  entries(): (DumpFile | DumpDatabase)[] {
    const { serverVersion, toolVersion } = this.#header!;
    const prelude = `{"ServerVersion":${quoteJson(serverVersion)},"ToolVersion":${quoteJson(toolVersion)}}`;
    const databases = Map.groupBy(this.#collections, ({ database }) => database);
    const files = (one: ArchivedCollection): DumpFile[] => [
      ...(one.dataFile ? [this.#file(one.dataFile, keyOf(one.database, one.dataName))] : []),
      textFile(one.metadataFile, one.metadata),
    ];
    return [
      ...(this.#hasOplog ? [this.#file(oplogFileName, keyOf('', 'oplog'))] : []),
      ...[...databases].map(([name, list]) => ({ name, files: list.flatMap(files) })),
      textFile('prelude.json', prelude),
    ];
  }

  async finish(): Promise<SourceProblem[]> {
    await Promise.race([Promise.all(this.#reads), whenAborted(this.#signal)]);
    if (!this.#hasOplog) return [];
    const error = new Error('the archive’s oplog is kept for mongorestore; Holdfast does not replay it');
    return [{ path: oplogFileName, gravity: 'odd', error }];
  }

  async *manifest(): AsyncGenerator<Uint8Array> {
    const server = { version: this.#header!.serverVersion, topology: 'unknown' as const, wireVersion: 0 };
    const manifest: DumpManifest = {
      format: 'holdfast-mongodb-dump',
      version: 1,
      startedAt: this.#startedAt.toISOString(),
      endedAt: this.#endedAt!.toISOString(),
      server: { ...server, documentBytesMax: 0, messageBytesMax: 0, writesMax: 0 },
      consistency: { kind: 'none', sentence: 'what the archive was: it does not say', notAtTime: [] },
      collections: this.#collections.map((one) => this.#manifestOf(one)),
      problems: [],
    };
    yield Buffer.from(`${JSON.stringify(manifest, undefined, 1)}\n`);
  }

  #begin(header: ArchiveHeader, namespaces: readonly ArchiveNamespace[]): void {
    this.#header = header;
    for (const one of namespaces) {
      if (one.database === '' && one.collection === 'oplog') this.#hasOplog = true;
      else this.#collections.push(archivedCollection(one, header));
    }
  }

  #manifestOf(one: ArchivedCollection): CollectionManifest {
    const { hash } = this.#stored.get(keyOf(one.database, one.dataName)) ?? { hash: new ContentHash() };
    return {
      database: one.database,
      name: one.name,
      ...(one.type ? { type: one.type } : {}),
      ...(one.uuid ? { uuid: one.uuid } : {}),
      metadataFile: `${one.database}/${one.metadataFile}`,
      ...(one.dataFile ? { dataFile: `${one.database}/${one.dataFile}`, content: hash.summary() } : {}),
      info: Buffer.from(one.info).toString('base64'),
      indexes: one.indexes.map((index) => Buffer.from(index).toString('base64')),
    };
  }

  #file(name: string, key: string): DumpFile {
    const spool = this.#spool;
    const extents = this.#stored.get(key)?.extents ?? [];
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#reads.push(promise);
    return {
      name,
      isVital: true,
      async *open() {
        try {
          for (const extent of extents) yield await spool.read(extent);
        } finally {
          resolve();
        }
      },
    };
  }
}

interface ArchivedCollection {
  database: string;
  name: string;
  type: string | undefined;
  uuid: string | undefined;
  /** What its blocks are called. */
  dataName: string;
  /** Names in the database's folder; a view has no data. */
  dataFile: string | undefined;
  metadataFile: string;
  metadata: string;
  /** As listCollections and listIndexes would tell it, as far as the metadata knows. */
  info: Uint8Array;
  indexes: Uint8Array[];
}

function archivedCollection(namespace: ArchiveNamespace, header: ArchiveHeader): ArchivedCollection {
  const { database, collection } = namespace;
  if (!isDatabaseName(database))
    throw new SourceError('sources.damaged', `${JSON.stringify(database)} cannot be a database’s folder`);
  const metadata = namespace.metadata || `{"indexes":[],"collectionName":${quoteJson(collection)}}`;
  const told = fromExtendedJson(metadata);
  const name = textOf(told, 'collectionName') ?? collection;
  const options = findElement(told, 'options');
  const isOfBuckets = options !== undefined && findElement(options.value, 'timeseries') !== undefined;
  const type = namespace.type || textOf(told, 'type') || (isOfBuckets ? 'timeseries' : undefined);
  const [major = 0, minor = 0] = header.serverVersion.split('.').map(Number);
  const hasOwnBuckets = type === 'timeseries' && (major < 8 || (major === 8 && minor < 3));
  const dataName = hasOwnBuckets ? `system.buckets.${name}` : collection;
  const indexes = findElement(told, 'indexes');
  return {
    database,
    name,
    type,
    uuid: textOf(told, 'uuid'),
    dataName,
    dataFile: type === 'view' ? undefined : `${dumpStemOf(dataName)}.bson`,
    metadataFile: `${dumpStemOf(name)}.metadata.json`,
    metadata,
    info: documentOf([textElement('name', name), ...(options ? [options] : [])]),
    indexes:
      indexes?.type === bsonTypes.array ? [...elementsOf(indexes.value)].map(({ value }) => value) : [],
  };
}

function textElement(name: string, text: string): BsonElement {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeInt32LE(bytes.length + 1);
  return { name, type: bsonTypes.string, value: Buffer.concat([length, bytes, Buffer.from([0])]) };
}
