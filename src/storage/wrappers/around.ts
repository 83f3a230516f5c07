import { StorageError } from '../errors.ts';
import type {
  ByteRange,
  Capabilities,
  Content,
  Copies,
  FileInfo,
  ObjectFacts,
  Objects,
  Retention,
  Storage,
  Versions,
  WriteOptions,
} from '../storage.ts';

export type Operation =
  | 'read'
  | 'write'
  | 'stat'
  | 'list'
  | 'delete'
  | 'space'
  | 'remove-unfinished'
  | 'list-versions'
  | 'read-version'
  | 'delete-version'
  | 'extend-retention'
  | 'retained-until'
  | 'hide'
  | 'delete-locked'
  | 'reset-default-lock'
  | 'list-objects'
  | 'read-object'
  | 'stat-object'
  | 'read-tags'
  | 'write-object'
  | 'copy'
  | 'see-versioning';

/** One call of a storage, as a wrapper sees it. */
export interface Call {
  operation: Operation;
  /** Of a file, or the prefix of a listing; empty where there is neither. */
  name: string;
  signal: AbortSignal | undefined;
}

/** The file behind a read. */
export interface ReadableFile {
  open(range: ByteRange | undefined, signal: AbortSignal | undefined): AsyncIterable<Uint8Array>;
  /** undefined when the file is gone. */
  sizeBytes(signal: AbortSignal | undefined): Promise<number | undefined>;
}

export type WriteContent = (content: Content, signal: AbortSignal | undefined) => Promise<void>;
export type OpenListing<T> = (signal: AbortSignal | undefined) => AsyncIterable<T>;
export type Ask<T> = (signal: AbortSignal | undefined) => Promise<T>;

/** What a wrapper makes of the four shapes that calls have. Each gets what would happen without the wrapper. */
export interface Treatment {
  /** It may go on without an answer. A call that is left behind must not write into the caller's memory. */
  readonly leavesCalls?: boolean;
  read(call: Call, range: ByteRange | undefined, file: ReadableFile): AsyncIterable<Uint8Array>;
  write(call: Call, content: Content, options: WriteOptions, run: WriteContent): Promise<void>;
  list<T extends FileInfo>(call: Call, open: OpenListing<T>): AsyncIterable<T>;
  /** Everything that is asked once and answered once. */
  call<T>(call: Call, run: Ask<T>): Promise<T>;
}

/** A storage whose every call is treated. It has the optional powers that the inner one has, treated too. */
export function around(inner: Storage, treatment: Treatment, capabilities?: Partial<Capabilities>): Storage {
  const { versions, retention, objects, copies } = inner;
  return {
    location: inner.location,
    // Asked each time: a storage may learn what it can do after it was opened.
    get capabilities() {
      return { ...inner.capabilities, ...capabilities };
    },
    read: (name, range, { signal, into } = {}) =>
      treatment.read({ operation: 'read', name, signal }, range, {
        open: (part, signal) => {
          const start = (part?.offset ?? 0) - (range?.offset ?? 0);
          return inner.read(name, part, {
            signal,
            into: treatment.leavesCalls ? undefined : into?.subarray(start),
          });
        },
        sizeBytes: async (signal) => (await inner.stat(name, { signal }))?.sizeBytes,
      }),
    write: (name, content, options = {}) =>
      treatment.write({ operation: 'write', name, signal: options.signal }, content, options, (it, signal) =>
        inner.write(name, it, { ...options, signal }),
      ),
    stat: (name, { signal } = {}) =>
      treatment.call({ operation: 'stat', name, signal }, (signal) => inner.stat(name, { signal })),
    list: (prefix, { signal } = {}) =>
      treatment.list({ operation: 'list', name: prefix, signal }, (signal) => inner.list(prefix, { signal })),
    delete: (name, { signal } = {}) =>
      treatment.call({ operation: 'delete', name, signal }, (signal) => inner.delete(name, { signal })),
    ...roomAround(inner, treatment),
    ...(versions && { versions: versionsAround(versions, treatment) }),
    ...(retention && { retention: retentionAround(retention, treatment) }),
    ...(objects && { objects: objectsAround(objects, treatment) }),
    ...(copies && { copies: copiesAround(copies, treatment) }),
    close: () => inner.close(),
  };
}

function roomAround(inner: Storage, treatment: Treatment): Pick<Storage, 'space' | 'removeUnfinished'> {
  return {
    ...(inner.space && {
      space: ({ signal } = {}) =>
        treatment.call({ operation: 'space', name: '', signal }, async (signal) => inner.space?.({ signal })),
    }),
    ...(inner.removeUnfinished && {
      removeUnfinished: (before, { signal, prefix } = {}) =>
        treatment.call(
          { operation: 'remove-unfinished', name: prefix ?? '', signal },
          async (signal) => (await inner.removeUnfinished?.(before, { signal, prefix })) ?? 0,
        ),
    }),
  };
}

function versionsAround(inner: Versions, treatment: Treatment): Versions {
  return {
    list: (prefix, { signal } = {}) =>
      treatment.list({ operation: 'list-versions', name: prefix, signal }, (signal) =>
        inner.list(prefix, { signal }),
      ),
    read: (name, versionId, range, { signal } = {}) =>
      treatment.read({ operation: 'read-version', name, signal }, range, {
        open: (part, signal) => inner.read(name, versionId, part, { signal }),
        sizeBytes: async (signal) => {
          for await (const version of inner.list(name, { signal }))
            if (version.name === name && version.versionId === versionId) return version.sizeBytes;
          return undefined;
        },
      }),
    delete: (name, versionId, { signal } = {}) =>
      treatment.call({ operation: 'delete-version', name, signal }, (signal) =>
        inner.delete(name, versionId, { signal }),
      ),
    areKept: ({ signal } = {}) =>
      treatment.call({ operation: 'see-versioning', name: '', signal }, (signal) =>
        inner.areKept({ signal }),
      ),
  };
}

function retentionAround(inner: Retention, treatment: Treatment): Retention {
  return {
    extend: (name, until, { signal, mode } = {}) =>
      treatment.call({ operation: 'extend-retention', name, signal }, (signal) =>
        inner.extend(name, until, { signal, mode }),
      ),
    retainedUntil: (name, { signal } = {}) =>
      treatment.call({ operation: 'retained-until', name, signal }, (signal) =>
        inner.retainedUntil(name, { signal }),
      ),
    hide: (name, { signal } = {}) =>
      treatment.call({ operation: 'hide', name, signal }, (signal) => inner.hide(name, { signal })),
    deleteLocked: (name, { signal } = {}) =>
      treatment.call({ operation: 'delete-locked', name, signal }, (signal) =>
        inner.deleteLocked(name, { signal }),
      ),
    resetDefault: ({ signal } = {}) =>
      treatment.call({ operation: 'reset-default-lock', name: '', signal }, (signal) =>
        inner.resetDefault({ signal }),
      ),
  };
}

function objectsAround(inner: Objects, treatment: Treatment): Objects {
  return {
    page: (after, { signal } = {}) =>
      treatment.call({ operation: 'list-objects', name: after ?? '', signal }, (signal) =>
        inner.page(after, { signal }),
      ),
    read: (key, { signal, range, ifEtag, onFacts } = {}) => {
      let seen: ObjectFacts | undefined;
      return treatment.read({ operation: 'read-object', name: key, signal }, range, {
        open(part, signal) {
          // What follows must be of the same content as what was passed on; a read that begins anew takes what is there.
          const isResumed = part !== undefined && part.offset > (range?.offset ?? 0);
          if (isResumed && !seen?.etag && !ifEtag) throw unmarked(key);
          return inner.read(key, {
            signal,
            range: part,
            ifEtag: ifEtag ?? (isResumed ? seen?.etag : undefined),
            onFacts(facts) {
              seen = facts;
              if (!isResumed) onFacts?.(facts);
            },
          });
        },
        sizeBytes: async (signal) => seen?.sizeBytes ?? (await inner.stat(key, { signal }))?.sizeBytes,
      });
    },
    stat: (key, { versionId, signal } = {}) =>
      treatment.call({ operation: 'stat-object', name: key, signal }, (signal) =>
        inner.stat(key, { versionId, signal }),
      ),
    tags: (key, { versionId, signal } = {}) =>
      treatment.call({ operation: 'read-tags', name: key, signal }, (signal) =>
        inner.tags(key, { versionId, signal }),
      ),
    write: (key, content, metadata, options = {}) =>
      treatment.write(
        { operation: 'write-object', name: key, signal: options.signal },
        content,
        options,
        (it, signal) => inner.write(key, it, metadata, { signal }),
      ),
  };
}

function copiesAround(inner: Copies, treatment: Treatment): Copies {
  return {
    service: inner.service,
    addressOf: (name, versionId) => inner.addressOf(name, versionId),
    copy: (name, from, { signal } = {}) =>
      treatment.call({ operation: 'copy', name, signal }, (signal) => inner.copy(name, from, { signal })),
  };
}

function unmarked(key: string): StorageError {
  return new StorageError('storage.failed', `the connection broke while ${key} was read`, {
    hint: 'The server gives no mark of its content, by which the rest could be told from that of another. Start again.',
  });
}
