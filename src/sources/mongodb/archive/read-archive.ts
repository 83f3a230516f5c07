import { SourceError } from '../../errors.ts';
import { assertDocument } from '../bson-bytes.ts';
import {
  type ArchiveBlock,
  type ArchiveHeader,
  type ArchiveNamespace,
  archiveMagic,
  decodeBlock,
  decodeHeader,
  decodeNamespace,
} from './archive-format.ts';
import { Crc64 } from './crc64.ts';

/** What comes out of an archive, in its order. Namespaces may be interleaved. */
export type ArchiveEvent =
  | { kind: 'prelude'; header: ArchiveHeader; namespaces: ArchiveNamespace[] }
  | { kind: 'document'; database: string; collection: string; document: Uint8Array }
  | { kind: 'end'; database: string; collection: string };

/** Blocks may be a little larger than documents: entries of an oplog. */
const documentBytesMax = 16 * 1024 * 1024 + 16 * 1024;
const namespacesMax = 1_000_000;

/**
 * Reads an archive of mongodump's that is not compressed, as strictly as mongorestore does: checksums, order, and
 * that every namespace comes to its end.
 * @throws SourceError 'sources.damaged'
 */
export async function* readArchive(stream: AsyncIterable<Uint8Array>): AsyncGenerator<ArchiveEvent> {
  const reader = new Reader(stream);
  const magic = await reader.take(4);
  if (!magic || Buffer.compare(magic, archiveMagic) !== 0) throw damaged('it does not begin as one');
  const header = decodeHeader((await reader.document()) ?? damagedEnd());
  if (!header) throw damaged('it is of a version that is not known');
  const namespaces: ArchiveNamespace[] = [];
  for (let document = await reader.document(); document; document = await reader.document()) {
    namespaces.push(decodeNamespace(document) ?? damagedEnd());
    if (namespaces.length > namespacesMax)
      throw damaged(`it announces more than ${namespacesMax} namespaces`);
  }
  yield { kind: 'prelude', header, namespaces };
  const open = new Map<string, Crc64 | 'ended'>();
  while (!(await reader.isAtEnd())) yield* readBlock(reader, open);
  const unseen = namespaces.filter(
    (one) => ![...namesInBlocks(one)].some((name) => open.get(name) === 'ended'),
  );
  if (unseen.length > 0) throw damaged(`it ends before ${unseen[0]!.database}.${unseen[0]!.collection} did`);
}

async function* readBlock(reader: Reader, open: Map<string, Crc64 | 'ended'>): AsyncGenerator<ArchiveEvent> {
  const block: ArchiveBlock = decodeBlock((await reader.document()) ?? damagedEnd()) ?? damagedEnd();
  const { database, collection } = block;
  const key = keyOf(database, collection);
  const crc = open.get(key) ?? new Crc64();
  if (crc === 'ended') throw damaged(`${database}.${collection} goes on after its end`);
  open.set(key, crc);
  for (let document = await reader.document(); document; document = await reader.document()) {
    if (block.isEnd) throw damaged(`${database}.${collection} has a document after its end`);
    crc.add(document);
    yield { kind: 'document', database, collection, document };
  }
  if (!block.isEnd) return;
  if (crc.value() !== block.crc) throw damaged(`the checksum of ${database}.${collection} does not fit`);
  open.set(key, 'ended');
  yield { kind: 'end', database, collection };
}

function namesInBlocks({ database, collection, type }: ArchiveNamespace): string[] {
  const own = keyOf(database, collection);
  return type === 'timeseries' ? [own, keyOf(database, `system.buckets.${collection}`)] : [own];
}

export function keyOf(database: string, collection: string): string {
  return `${database}\0${collection}`;
}

/** Documents and ends, cut out of a stream. */
class Reader {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#pieces = stream[Symbol.asyncIterator]();
  }

  async isAtEnd(): Promise<boolean> {
    return this.#rest.length === 0 && !(await this.#fill(1));
  }

  /** The next document, or undefined at an end mark. */
  async document(): Promise<Uint8Array | undefined> {
    if (!(await this.#fill(4))) throw damaged('it is cut');
    const length = this.#rest.readInt32LE();
    if (length === -1) {
      this.#rest = this.#rest.subarray(4);
      return undefined;
    }
    if (length < 5 || length > documentBytesMax) throw damaged(`a document of ${length} bytes was announced`);
    const bytes = await this.take(length);
    if (!bytes) throw damaged('it is cut');
    assertDocument(bytes);
    return bytes;
  }

  async take(count: number): Promise<Uint8Array | undefined> {
    if (!(await this.#fill(count))) return undefined;
    const bytes = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(count);
    return bytes;
  }

  /** Makes so many bytes ready, unless the stream ends before. */
  async #fill(count: number): Promise<boolean> {
    const more: Uint8Array[] = [];
    let length = this.#rest.length;
    while (length < count) {
      const { done, value } = await this.#pieces.next();
      if (done) break;
      more.push(value);
      length += value.length;
    }
    if (more.length > 0) this.#rest = Buffer.concat([this.#rest, ...more]);
    return length >= count;
  }
}

function damaged(reason: string): SourceError {
  return new SourceError('sources.damaged', `the archive cannot be read: ${reason}`, {
    hint: 'Make it again, or check its SHA-256; it must be one of `mongodump --archive`, gzip or not.',
  });
}

function damagedEnd(): never {
  throw damaged('a block is not what it must be');
}
