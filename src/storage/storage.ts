/** A byte range of a file. */
export interface ByteRange {
  offset: number;
  length: number;
}

/** One file as a storage lists it. */
export interface FileInfo {
  /** Name relative to the storage's root, `/` between parts, never leading or trailing. */
  name: string;
  sizeBytes: number;
  /** When the storage last wrote it, if it says so. */
  modifiedAt?: Date;
  /** The storage's own mark of this content (an ETag, a generation), opaque. */
  etag?: string;
}

/**
 * What is written: bytes at hand (one piece or several that follow each other), or a stream that can be
 * opened again for a retry. A stream is read no faster than the storage takes it.
 */
export type Content =
  | Uint8Array
  | readonly Uint8Array[]
  | { open(): AsyncIterable<Uint8Array>; sizeBytes?: number };

export interface WriteOptions {
  /**
   * Fail with 'storage.exists' when the name is taken; only where `capabilities.conditionalCreate`.
   * Competitors must write different bytes: after a lost answer the content tells whose file it is.
   */
  ifAbsent?: boolean;
  signal?: AbortSignal | undefined;
}

export interface ReadOptions {
  signal?: AbortSignal | undefined;
  /**
   * For `read`: memory as long as the range, or longer. A storage that can reads straight into it, from its start,
   * and yields views of it; others yield pieces of their own. Nothing is written there once the read has ended.
   * See `readInto`.
   */
  into?: Uint8Array | undefined;
}

export interface UnfinishedOptions extends ReadOptions {
  /** Only what would have got a name that begins so. */
  prefix?: string | undefined;
}

/** What a kind of storage can do, as data. */
export interface Capabilities {
  /** `write` with `ifAbsent` is decided by the storage itself, atomically. */
  conditionalCreate: boolean;
  /** A write becomes visible whole or not at all, even when we are killed. */
  atomicWrite: boolean;
  /** How many calls at once it takes gladly. */
  concurrency: number;
  /** `removeUnfinished` asks for a list of just those; others look at every file. */
  listsUnfinished?: boolean;
}

/** Older contents of files, for storages that keep them (S3 versioning …). */
export interface FileVersion extends FileInfo {
  versionId: string;
  isLatest: boolean;
  /** A marker that hides the file: there is no content. */
  isDeleteMarker: boolean;
}

/** Optional power: a storage that keeps old versions. */
export interface Versions {
  /** Those of one name follow each other, in any order. Markers have a size of 0. */
  list(prefix: string, options?: ReadOptions): AsyncIterable<FileVersion>;
  read(name: string, versionId: string, range?: ByteRange, options?: ReadOptions): AsyncIterable<Uint8Array>;
  delete(name: string, versionId: string, options?: ReadOptions): Promise<void>;
  /** Whether what is written over or hidden now stays as a version. */
  areKept(options?: ReadOptions): Promise<boolean>;
}

/** Governance can be lifted by who holds a special right; compliance by nobody. */
export type LockMode = 'governance' | 'compliance';

export interface ExtendOptions extends ReadOptions {
  mode?: LockMode | undefined;
}

/** Optional power: a storage that refuses to delete a file before a date (object lock). */
export interface Retention {
  /**
   * Never shortens. What is locked already keeps its mode; what is not gets the mode that is asked for.
   * @throws StorageError 'storage.unsupported' when the place has no lock
   */
  extend(name: string, until: Date, options?: ExtendOptions): Promise<void>;
  /** Until when the current version is kept, or undefined when it is free. */
  retainedUntil(name: string, options?: ReadOptions): Promise<Date | undefined>;
  /** What `delete` refuses as locked is seen no more; its bytes stay, as an older version. */
  hide(name: string, options?: ReadOptions): Promise<void>;
  /** Deletes the current version whatever its lock says, where it is of governance and our login may lift it. */
  deleteLocked(name: string, options?: ReadOptions): Promise<void>;
  /** Sets the lock of the whole place to what it is already: succeeds when our login may change it. */
  resetDefault(options?: ReadOptions): Promise<void>;
}

/** What a bucket keeps beside the bytes of an object, each text as the server gives it. */
export interface ObjectMetadata {
  contentType?: string;
  contentEncoding?: string;
  contentLanguage?: string;
  contentDisposition?: string;
  cacheControl?: string;
  /** An HTTP date. */
  expires?: string;
  /** Where a bucket that serves a site sends the browser instead. */
  redirect?: string;
  storageClass?: string;
  /** The user's own, by names in lower case. */
  user?: Record<string, string>;
  tags?: Record<string, string>;
}

/** One object as its bucket lists it. `name` is its key without the location's prefix, of any form, empty too. */
export interface BucketObject extends FileInfo {
  storageClass?: string;
}

/** What a bucket says of an object when it is asked for it. */
export interface ObjectFacts extends BucketObject {
  versionId?: string;
  /** All but the tags. */
  metadata: ObjectMetadata;
  /** How many tags it has; undefined where the server does not say. */
  tagCount?: number;
  /** Fields of the user's metadata that HTTP cannot carry. */
  unreadableCount?: number;
}

export interface ReadObjectOptions extends ReadOptions {
  range?: ByteRange | undefined;
  /** Only the content with this mark. @throws StorageError 'storage.failed' when it is another by now */
  ifEtag?: string | undefined;
  /** Called before the first byte, and again when the read had to begin anew: the last call counts. */
  onFacts?: ((facts: ObjectFacts) => void) | undefined;
}

export interface ObjectVersionOptions extends ReadOptions {
  /** undefined: the current one */
  versionId?: string | undefined;
}

/** Optional power: a bucket as it is, whose keys need not be names of files (`a//b`, `/a`, `..`, `a/`). */
export interface Objects {
  /**
   * The objects that follow a key, in ascending order of the UTF-8 bytes of their keys, as many as one answer holds.
   * @param after undefined: from the beginning
   */
  page(after: string | undefined, options?: ReadOptions): Promise<ObjectPage>;
  /** @throws StorageError 'storage.not-found' */
  read(key: string, options?: ReadObjectOptions): AsyncIterable<Uint8Array>;
  stat(key: string, options?: ObjectVersionOptions): Promise<ObjectFacts | undefined>;
  tags(key: string, options?: ObjectVersionOptions): Promise<Record<string, string>>;
  /** Replaces what was there. */
  write(key: string, content: Content, metadata: ObjectMetadata, options?: ReadOptions): Promise<void>;
}

export interface ObjectPage {
  objects: readonly BucketObject[];
  isLast: boolean;
}

/** A file as the service that holds it knows it. */
export interface CopySource {
  /** From `Copies.addressOf` of a storage with the same `service`. */
  address: string;
  sizeBytes: number;
  /** The copy fails when the content has another mark by now, where the service heeds that. */
  etag?: string | undefined;
}

/** Optional power: the service copies from one of its places to another, with metadata and tags, and no byte comes by us. */
export interface Copies {
  /** Two storages with the same text are worth a try; our login here may still not reach there. */
  readonly service: string;
  addressOf(name: string, versionId?: string): string;
  /** @throws StorageError as `write` does, and 'storage.not-found' for the source */
  copy(name: string, from: CopySource, options?: ReadOptions): Promise<void>;
}

/** Room on the storage, where it can tell. */
export interface Space {
  freeBytes: number;
  totalBytes: number;
}

/**
 * Bytes at rest, by name. Knows no blob and no snapshot. Every kind passes `testing/contract.ts`.
 *
 * Promises: read after write (a file is seen whole as soon as `write` has resolved, and `list` shows it);
 * a resolved `write` is durable (fsync of file and folder, or a successful PUT). Calls may run at once.
 * A call whose signal is aborted rejects with the signal's reason; what it had begun may still happen.
 * Names are checked by `assertName` ('storage.name').
 */
export interface Storage {
  /** The location as the user gave it, without secrets. */
  readonly location: string;
  readonly capabilities: Capabilities;
  readonly versions?: Versions;
  readonly retention?: Retention;
  readonly objects?: Objects;
  readonly copies?: Copies;

  /**
   * Reads a file or a part of it.
   * @returns exactly `range.length` bytes (or the whole file), in pieces of any size
   * @throws StorageError 'storage.not-found', 'storage.range' (the file ends before the range does)
   */
  read(name: string, range?: ByteRange, options?: ReadOptions): AsyncIterable<Uint8Array>;

  /**
   * Writes a whole file, replacing what was there (unless `ifAbsent`). After a failure nothing is visible
   * under `name` that was not there before, where `capabilities.atomicWrite`.
   * An error of the content's own stream is passed on as it is.
   * @throws StorageError 'storage.exists' (with `ifAbsent`), 'storage.no-space', 'storage.access-denied'
   */
  write(name: string, content: Content, options?: WriteOptions): Promise<void>;

  /** Size and facts of one file, or undefined when it is not there. */
  stat(name: string, options?: ReadOptions): Promise<FileInfo | undefined>;

  /** All files whose name starts with `prefix` (a folder ends in `/`), at any depth, in no order. An absent folder is empty. */
  list(prefix: string, options?: ReadOptions): AsyncIterable<FileInfo>;

  /** Removes a file; succeeds when it is not there. @throws StorageError 'storage.locked' when retention forbids it */
  delete(name: string, options?: ReadOptions): Promise<void>;

  /** Optional power: free and total room, or undefined where this place does not tell. */
  space?(options?: ReadOptions): Promise<Space | undefined>;

  /**
   * Optional power: removes what killed writers left behind (temporary files, unfinished uploads). It is never
   * visible under a name, but takes room.
   * @param before only what was begun earlier, so that no writer at work is hurt
   * @returns how many were removed
   */
  removeUnfinished?(before: Date, options?: UnfinishedOptions): Promise<number>;

  /** Ends connections; the storage is not used afterwards. */
  close(): Promise<void>;
}
