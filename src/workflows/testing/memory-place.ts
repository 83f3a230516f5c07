import { createHash } from 'node:crypto';
import { collect } from '#base';
import {
  type ByteRange,
  type Content,
  type CopySource,
  type FileInfo,
  type FileVersion,
  type ObjectFacts,
  type ObjectMetadata,
  type Storage,
  StorageError,
} from '#storage';

interface Kept {
  versionId: string;
  /** undefined: a marker that hides the file */
  bytes: Uint8Array | undefined;
  metadata: ObjectMetadata;
  modifiedAt: Date;
}

/** What the places of one service share. */
export interface MemoryService {
  places: MemoryPlace[];
  /** Seconds that have passed. */
  second: number;
}

/** A place at a service in memory with every power: versions, metadata, copies that the service makes itself. */
export class MemoryPlace implements Storage {
  readonly location: string;
  readonly capabilities = { conditionalCreate: true, atomicWrite: true, concurrency: 4 };
  readonly history = new Map<string, Kept[]>();
  /** Calls of note, in turn: `read a`, `write a`, `copy a`, `hide a`. */
  readonly asked: string[] = [];
  /** What the service answers to a copy instead of making it. */
  copyRefusal: StorageError | undefined;
  areTagsTold = true;
  /** What is stored instead of what is written. */
  spoil: ((bytes: Uint8Array) => Uint8Array) | undefined;
  readonly #service: MemoryService;
  readonly #index: number;

  constructor(service: MemoryService = { places: [], second: 0 }) {
    this.#service = service;
    this.#index = service.places.push(this) - 1;
    this.location = `memory:${this.#index}`;
  }

  /** As a user would, unseen by `asked`. */
  put(name: string, content: string | Uint8Array, metadata: ObjectMetadata = {}): void {
    this.#keep(name, Buffer.from(content), metadata);
  }

  /** Names and contents of what is seen, as text. */
  contents(): Record<string, string> {
    const names = [...this.history.keys()].filter((name) => this.#latest(name)?.bytes).sort();
    return Object.fromEntries(
      names.map((name) => [name, Buffer.from(this.#latest(name)!.bytes!).toString()]),
    );
  }

  /** Of all versions of a name, oldest first; '' for a marker. */
  versionsOf(name: string): string[] {
    return (this.history.get(name) ?? []).map(({ bytes }) => Buffer.from(bytes ?? []).toString());
  }

  metadataOf(name: string): ObjectMetadata | undefined {
    return this.#latest(name)?.metadata;
  }

  async *read(name: string, range?: ByteRange): AsyncGenerator<Uint8Array> {
    this.asked.push(`read ${name}`);
    yield* MemoryPlace.#pieces(this.#bytes(name), range);
  }

  async write(name: string, content: Content): Promise<void> {
    await this.objects.write(name, content, {});
  }

  async stat(name: string): Promise<FileInfo | undefined> {
    const latest = this.#latest(name);
    return latest?.bytes && infoOf(name, latest);
  }

  async *list(prefix: string): AsyncGenerator<FileInfo> {
    for (const name of [...this.history.keys()]) {
      const info = name.startsWith(prefix) ? await this.stat(name) : undefined;
      if (info) yield info;
    }
  }

  async delete(name: string): Promise<void> {
    this.asked.push(`delete ${name}`);
    this.history.delete(name);
  }

  async close(): Promise<void> {}

  readonly objects = {
    page: async () => ({ objects: [], isLast: true }),
    read: (name: string) => this.read(name),
    stat: async (
      name: string,
      { versionId }: { versionId?: string | undefined } = {},
    ): Promise<ObjectFacts | undefined> => {
      const kept = versionId === undefined ? this.#latest(name) : this.#version(name, versionId);
      if (!kept?.bytes) return undefined;
      const { tags = {}, ...metadata } = kept.metadata;
      return { ...infoOf(name, kept), metadata, tagCount: Object.keys(tags).length };
    },
    tags: async (name: string, { versionId }: { versionId?: string | undefined } = {}) => {
      if (!this.areTagsTold) throw new StorageError('storage.access-denied', 'no right to read tags');
      const kept = versionId === undefined ? this.#latest(name) : this.#version(name, versionId);
      return kept?.metadata.tags ?? {};
    },
    write: async (name: string, content: Content, metadata: ObjectMetadata) => {
      this.asked.push(`write ${name}`);
      const bytes =
        'open' in content ? await collect(content.open()) : Buffer.concat([content].flat() as Uint8Array[]);
      this.#keep(name, this.spoil?.(bytes) ?? bytes, metadata);
    },
  };

  readonly versions = {
    list: (prefix: string) => this.#listVersions(prefix),
    read: (name: string, versionId: string, range?: ByteRange) =>
      MemoryPlace.#pieces(this.#version(name, versionId)!.bytes!, range),
    delete: async () => {},
    areKept: async () => true,
  };

  readonly retention = {
    extend: async () => {},
    retainedUntil: async () => undefined,
    deleteLocked: async () => {},
    resetDefault: async () => {},
    hide: async (name: string) => {
      this.asked.push(`hide ${name}`);
      this.#keep(name, undefined, {});
    },
  };

  readonly copies = {
    service: 'memory',
    addressOf: (name: string, versionId = '') => JSON.stringify([this.#index, name, versionId]),
    copy: async (name: string, { address, etag }: CopySource) => {
      this.asked.push(`copy ${name}`);
      if (this.copyRefusal) throw this.copyRefusal;
      const [index, source, versionId] = JSON.parse(address) as [number, string, string];
      const place = this.#service.places[index]!;
      const kept = versionId ? place.#version(source, versionId) : place.#latest(source);
      if (!kept?.bytes) throw absent(source);
      if (etag && etag !== etagOf(kept.bytes)) throw new StorageError('storage.exists', 'another content');
      this.#keep(name, kept.bytes, kept.metadata);
    },
  };

  async *#listVersions(prefix: string): AsyncGenerator<FileVersion> {
    for (const [name, all] of [...this.history]) {
      if (!name.startsWith(prefix)) continue;
      for (const kept of all.toReversed()) {
        const { versionId, bytes } = kept;
        yield { ...infoOf(name, kept), versionId, isLatest: kept === all.at(-1), isDeleteMarker: !bytes };
      }
    }
  }

  #keep(name: string, bytes: Uint8Array | undefined, metadata: ObjectMetadata): void {
    const all = this.history.get(name) ?? [];
    const modifiedAt = new Date(1e12 + 1000 * this.#service.second++);
    all.push({ versionId: `v${this.#service.second}`, bytes, metadata, modifiedAt });
    this.history.set(name, all);
  }

  #latest(name: string): Kept | undefined {
    return this.history.get(name)?.at(-1);
  }

  #version(name: string, versionId: string): Kept | undefined {
    return this.history.get(name)?.find((kept) => kept.versionId === versionId);
  }

  #bytes(name: string): Uint8Array {
    const bytes = this.#latest(name)?.bytes;
    if (bytes) return bytes;
    throw absent(name);
  }

  static async *#pieces(bytes: Uint8Array, range?: ByteRange): AsyncGenerator<Uint8Array> {
    const { offset = 0, length = bytes.length } = range ?? {};
    for (let at = offset; at < offset + length; at += 1000)
      yield bytes.slice(at, Math.min(at + 1000, offset + length));
  }
}

function infoOf(name: string, { bytes, modifiedAt }: Kept): FileInfo {
  return { name, sizeBytes: bytes?.length ?? 0, modifiedAt, ...(bytes && { etag: etagOf(bytes) }) };
}

function etagOf(bytes: Uint8Array): string {
  return `"${createHash('md5').update(bytes).digest('hex')}"`;
}

function absent(name: string): StorageError {
  return new StorageError('storage.not-found', `there is no ${name} in memory`);
}
