import { type FileAttributes, isRetryable, messageOf } from '#base';
import { type BucketObject, type ObjectFacts, type Storage, StorageError } from '#storage';
import { plainAttributes, timeNsOf } from '../plain-attributes.ts';
import type { StreamContent } from '../source.ts';
import { fromExtendedAttributes, type ObjectRecord, toExtendedAttributes } from './object-attributes.ts';

/** Which objects are asked for their tags when they are read: those said to have some, all, or none. */
export type TagReading = 'told' | 'always' | 'never';

export interface ContentOptions {
  storage: Storage;
  object: BucketObject;
  /** The key, where the path in the tree is another text. */
  key: string | undefined;
  tags: TagReading;
  /** The storage cannot be reached: no other object will be read either. */
  onUnreachable(error: Error): void;
}

/** The bytes of one object. One GET tells everything about it but its tags. */
export class ObjectContent implements StreamContent {
  readonly #options: ContentOptions;
  #facts: ObjectFacts | undefined;
  #tags: Record<string, string> | undefined;
  readonly #oddities: Error[] = [];

  constructor(options: ContentOptions) {
    this.#options = options;
  }

  async *open(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    try {
      yield* this.#read(signal);
    } catch (error) {
      if (error instanceof StorageError && error.code === 'storage.not-found') throw vanished(error);
      if (isRetryable(error)) this.#options.onUnreachable(error as Error);
      throw error;
    }
  }

  /** The same content when the server's mark and the time are the same. A weak mark, or none, tells nothing. */
  recognize(before: FileAttributes): FileAttributes | undefined {
    const { object } = this.#options;
    const record = fromExtendedAttributes(before);
    const now = attributesOf(object, record);
    const isSame =
      isStrongMark(object.etag) &&
      object.etag === record.etag &&
      object.modifiedAt !== undefined &&
      before.mtimeNs === now.mtimeNs &&
      before.sizeBytes === object.sizeBytes;
    if (!isSame) return undefined;
    return attributesOf(object, this.#recordOf(object, { ...record, tags: record.metadata.tags }));
  }

  describe(): { attributes: FileAttributes; oddities: readonly Error[] } {
    const { object } = this.#options;
    const facts = this.#facts;
    if (!facts) return { attributes: attributesOf(object, this.#recordOf(object, {})), oddities: [] };
    if (facts.unreadableCount)
      this.#oddities.push(new Error(`${facts.unreadableCount} of its metadata fields cannot be read`));
    const isListed = isSameContent(object, facts);
    if (!isListed)
      this.#oddities.push(
        new Error('the object was replaced after it was listed; the snapshot has the newer one'),
      );
    // A list may know the time more exactly than the answer to a GET.
    const seen = isListed ? object : facts;
    return {
      attributes: attributesOf(seen, this.#recordOf(seen, { ...facts, tags: this.#tags })),
      oddities: this.#oddities,
    };
  }

  async *#read(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const { storage, object, tags } = this.#options;
    const { objects } = storage;
    if (!objects) {
      yield* storage.read(object.name, undefined, { signal });
      return;
    }
    const onFacts = (facts: ObjectFacts) => {
      this.#facts = facts;
    };
    yield* objects.read(object.name, { signal, onFacts });
    if (tags === 'never' || (tags === 'told' && !this.#facts?.tagCount)) return;
    try {
      this.#tags = await objects.tags(object.name, { signal });
    } catch (error) {
      signal.throwIfAborted();
      this.#oddities.push(new Error(`saved without tags: ${messageOf(error)}`, { cause: error }));
    }
  }

  /** @param seen the object's own facts; what the list does not know comes from `read` */
  #recordOf(
    seen: BucketObject,
    read: Partial<ObjectRecord> & { tags?: Record<string, string> | undefined },
  ): ObjectRecord {
    const storageClass = seen.storageClass ?? read.metadata?.storageClass;
    return {
      etag: seen.etag,
      versionId: read.versionId,
      key: this.#options.key,
      metadata: {
        ...read.metadata,
        ...(storageClass && { storageClass }),
        ...(read.tags && { tags: read.tags }),
      },
    };
  }
}

/** Attributes of an object; it has neither owner nor mode. */
function attributesOf(
  object: Pick<BucketObject, 'sizeBytes' | 'modifiedAt'>,
  record: ObjectRecord,
): FileAttributes {
  const extendedAttributes = toExtendedAttributes(record);
  return {
    ...plainAttributes('file', object.modifiedAt ? timeNsOf(object.modifiedAt) : 0n),
    sizeBytes: object.sizeBytes,
    ...(extendedAttributes.length > 0 && { extendedAttributes }),
  };
}

/** A folder of keys has no time of its own; that of 1970 keeps its tree the same from one snapshot to the next. */
export function folderAttributes(): FileAttributes {
  return plainAttributes('dir', 0n);
}

function isSameContent(listed: BucketObject, read: BucketObject): boolean {
  const isOtherMark = listed.etag !== undefined && read.etag !== undefined && listed.etag !== read.etag;
  return listed.sizeBytes === read.sizeBytes && !isOtherMark;
}

/** A weak mark stays when the bytes change a little. */
function isStrongMark(etag: string | undefined): boolean {
  return etag !== undefined && !etag.startsWith('W/') && etag.replaceAll('"', '') !== '';
}

/** As a file that goes while its folder is read. */
function vanished(cause: Error): Error {
  return Object.assign(new Error('the object was deleted after it was listed', { cause }), {
    code: 'ENOENT',
  });
}
