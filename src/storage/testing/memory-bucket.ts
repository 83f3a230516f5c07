import { createHash } from 'node:crypto';
import { piecesOf } from '../content.ts';
import { StorageError } from '../errors.ts';
import { MemoryStorage } from '../memory/memory-storage.ts';
import type {
  BucketObject,
  Content,
  ObjectFacts,
  ObjectMetadata,
  ObjectPage,
  Objects,
  ReadObjectOptions,
} from '../storage.ts';

interface KeptObject extends BucketObject {
  bytes: Uint8Array;
  metadata: ObjectMetadata;
}

/** A bucket in memory, keys of any form, which counts what it is asked. Its objects are seen by the power `objects` only. */
export class MemoryBucket extends MemoryStorage {
  readonly kept = new Map<string, KeptObject>();
  /** Keys that were read, asked about, or asked for their tags, in turn. */
  readonly asked: string[] = [];
  pageSize = 3;
  /** What happens before a page is given: the bucket changes while it is listed. */
  onPage: (() => void) | undefined;
  /** Marks of the objects that are put; '' is none. */
  etagOf = (bytes: Uint8Array): string => `"${createHash('md5').update(bytes).digest('hex')}"`;

  put(key: string, content: string | Uint8Array, metadata: ObjectMetadata = {}, modifiedAt = new Date(1e12)) {
    const bytes = Buffer.from(content);
    const etag = this.etagOf(bytes);
    const { storageClass } = metadata;
    const more = { ...(etag && { etag }), ...(storageClass && { storageClass }) };
    this.kept.set(key, { name: key, bytes, sizeBytes: bytes.length, modifiedAt, metadata, ...more });
  }

  readonly objects: Objects = {
    page: async (after) => this.#page(after),
    read: (key, options) => this.#read(key, options),
    stat: async (key) => {
      this.asked.push(`stat ${key}`);
      const object = this.kept.get(key);
      return object && factsOf(object);
    },
    tags: async (key) => {
      this.asked.push(`tags ${key}`);
      return this.#object(key).metadata.tags ?? {};
    },
    write: async (key, content, metadata) => {
      this.asked.push(`write ${key}`);
      this.put(key, await bytesOf(content), metadata);
    },
  };

  #page(after: string | undefined): ObjectPage {
    this.onPage?.();
    const inOrder = [...this.kept.values()].sort((a, b) =>
      Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)),
    );
    const rest = inOrder.filter(
      ({ name }) => after === undefined || Buffer.compare(Buffer.from(name), Buffer.from(after)) > 0,
    );
    const objects = rest.slice(0, this.pageSize).map(({ bytes: _, metadata: __, ...listed }) => listed);
    return { objects, isLast: rest.length <= this.pageSize };
  }

  async *#read(key: string, { range, ifEtag, onFacts }: ReadObjectOptions = {}): AsyncGenerator<Uint8Array> {
    this.asked.push(`read ${key}`);
    const object = this.#object(key);
    if (ifEtag !== undefined && ifEtag !== object.etag)
      throw new StorageError('storage.failed', `${key} was replaced while it was read`);
    onFacts?.(factsOf(object));
    const { offset = 0, length = object.sizeBytes } = range ?? {};
    const end = offset + length;
    for (let at = offset; at < end; at += 1000) yield object.bytes.slice(at, Math.min(end, at + 1000));
  }

  #object(key: string): KeptObject {
    const object = this.kept.get(key);
    if (object) return object;
    throw new StorageError('storage.not-found', `there is no ${key} in memory`);
  }
}

function factsOf({ bytes: _, metadata, ...listed }: KeptObject): ObjectFacts {
  const { tags, ...rest } = metadata;
  return { ...listed, metadata: rest, ...(tags && { tagCount: Object.keys(tags).length }) };
}

async function bytesOf(content: Content): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of piecesOf(content)) pieces.push(new Uint8Array(piece));
  return Buffer.concat(pieces);
}
