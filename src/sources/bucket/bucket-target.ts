import { isUtf8 } from 'node:buffer';
import { isDeepStrictEqual } from 'node:util';
import type { FileAttributes } from '#base';
import { type ObjectFacts, type ObjectMetadata, type Objects, type Storage, StorageError } from '#storage';
import { SourceError } from '../errors.ts';
import type { Decision, OverwritePolicy } from '../files/overwrite.ts';
import { fromExtendedAttributes } from './object-attributes.ts';
import { keyOfPath } from './object-path.ts';

export interface BucketTargetOptions {
  /** Of any kind; one that is no bucket keeps the bytes alone. */
  storage: Storage;
  /** Default: 'if-changed'. */
  overwrite?: OverwritePolicy | undefined;
}

/** A file of a snapshot as the object that it becomes. */
export interface WantedObject {
  key: string;
  attributes: FileAttributes;
}

/**
 * Restores files into a bucket: those of a bucket with their keys and all that was kept beside them, others by their
 * paths. Files may be restored in any order and any number at once. Nothing is ever deleted.
 */
export class BucketTarget {
  readonly #storage: Storage;
  readonly #objects: Pick<Objects, 'read' | 'stat' | 'write'>;
  readonly #overwrite: OverwritePolicy;

  constructor({ storage, overwrite = 'if-changed' }: BucketTargetOptions) {
    this.#storage = storage;
    this.#objects = storage.objects ?? plainObjects(storage);
    this.#overwrite = overwrite;
  }

  /** How many files it takes gladly at once. */
  get concurrency(): number {
    return this.#storage.capabilities.concurrency;
  }

  /** @param names from the target's root @throws SourceError 'sources.name' when they are no key */
  objectOf(names: readonly Uint8Array[], attributes: FileAttributes): WantedObject {
    const path = names.map(textOf);
    const { key } = fromExtendedAttributes(attributes);
    return { key: key === undefined ? path.join('/') : keyOfPath(path), attributes };
  }

  /**
   * What is to be done. An object counts as the same when size, mark and metadata are those of the snapshot; no time can
   * be set in a bucket, so what says nothing of its mark is replaced.
   */
  async decide({ key, attributes }: WantedObject, signal: AbortSignal): Promise<Decision> {
    const existing = await this.#objects.stat(key, { signal });
    if (!existing) return 'create';
    switch (this.#overwrite) {
      case 'never':
        return 'leave';
      case 'if-newer':
        return isOlder(existing, attributes) ? 'replace' : 'leave';
      case 'if-changed':
        return looksSame(existing, attributes) ? 'keep' : 'replace';
      case 'always':
        return 'replace';
    }
  }

  /**
   * Writes an object whole, or not at all.
   * @param open the content; called again for another try
   * @returns what the bucket does not keep of it, if anything
   */
  async write(
    { key, attributes }: WantedObject,
    open: () => AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<Error | undefined> {
    const content = { open, sizeBytes: attributes.sizeBytes };
    const { metadata } = fromExtendedAttributes(attributes);
    try {
      await this.#objects.write(key, content, metadata, { signal });
      return undefined;
    } catch (error) {
      const { tags, storageClass, ...plain } = metadata;
      if (!(tags || storageClass) || !isUnknownThere(error)) throw error;
      await this.#objects.write(key, content, plain, { signal });
      return new Error('restored without tags and storage class, which this server does not take', {
        cause: error,
      });
    }
  }

  read(key: string, signal: AbortSignal): AsyncIterable<Uint8Array> {
    return this.#objects.read(key, { signal });
  }
}

/** Whether an error concerns the whole target, so that no other object can be written either. */
export function endsBucketRestore(error: unknown): boolean {
  if (!(error instanceof StorageError)) return false;
  return fatal.includes(error.code) || error.context.s3Code === 'NoSuchBucket';
}

const fatal: readonly string[] = [
  'storage.access-denied',
  'storage.location',
  'storage.no-space',
  'storage.read-only',
  'storage.unreachable',
];

/** Servers without tags (R2, B2), or with classes of their own. */
function isUnknownThere(error: unknown): boolean {
  if (!(error instanceof StorageError)) return false;
  return error.code === 'storage.unsupported' || error.context.s3Code === 'InvalidStorageClass';
}

function isOlder({ modifiedAt }: ObjectFacts, { mtimeNs }: FileAttributes): boolean {
  return modifiedAt === undefined || BigInt(modifiedAt.getTime()) * 1_000_000n < mtimeNs;
}

/** Tags and class are not compared: the first would cost a request each, the second changes by itself. */
function looksSame(existing: ObjectFacts, attributes: FileAttributes): boolean {
  const { etag, metadata } = fromExtendedAttributes(attributes);
  return (
    etag !== undefined &&
    existing.etag === etag &&
    existing.sizeBytes === attributes.sizeBytes &&
    isDeepStrictEqual(comparable(existing.metadata), comparable(metadata))
  );
}

function comparable({ storageClass: _, tags: __, ...metadata }: ObjectMetadata): ObjectMetadata {
  return { contentType: 'binary/octet-stream', ...metadata, user: { ...metadata.user } };
}

function textOf(name: Uint8Array): string {
  if (isUtf8(name)) return Buffer.from(name).toString();
  throw new SourceError('sources.name', 'a name that is not UTF-8 cannot be the key of an object', {
    hint: 'Restore it to a folder.',
  });
}

/** A storage that keeps nothing beside the bytes. */
function plainObjects(storage: Storage): Pick<Objects, 'read' | 'stat' | 'write'> {
  return {
    read: (key, { signal } = {}) => storage.read(key, undefined, { signal }),
    stat: async (key, { signal } = {}) => {
      const info = await storage.stat(key, { signal });
      return info && { ...info, metadata: {} };
    },
    write: (key, content, _metadata, { signal } = {}) => storage.write(key, content, { signal }),
  };
}
