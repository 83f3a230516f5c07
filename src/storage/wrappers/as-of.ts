import { StorageError } from '../errors.ts';
import { assertName } from '../names.ts';
import type { ByteRange, FileInfo, FileVersion, ReadOptions, Storage, Versions } from '../storage.ts';

/** How many names' versions are remembered: the past does not change, and a restore comes back to its packs. */
const rememberedMax = 100_000;

/**
 * A storage as it was at a time, read-only: later contents are passed over, and so are markers that hide files. What
 * an attacker with the bucket's key cannot delete (object lock) is found this way. The time is the storage's own.
 * @throws StorageError 'storage.unsupported' when the storage keeps no versions
 */
export function asOf(inner: Storage, time: Date): Storage {
  if (inner.versions) return new PastStorage(inner, inner.versions, time);
  throw new StorageError('storage.unsupported', `${inner.location} keeps no older versions`, {
    hint: 'Only a bucket with versioning can be read as it was; leave --as-of out.',
  });
}

class PastStorage implements Storage {
  readonly location: string;
  readonly #inner: Storage;
  readonly #versions: Versions;
  readonly #time: Date;
  readonly #remembered = new Map<string, FileVersion | undefined>();

  constructor(inner: Storage, versions: Versions, time: Date) {
    this.location = inner.location;
    this.#inner = inner;
    this.#versions = versions;
    this.#time = time;
  }

  get capabilities() {
    return { ...this.#inner.capabilities, conditionalCreate: false };
  }

  async *read(name: string, range?: ByteRange, options?: ReadOptions): AsyncGenerator<Uint8Array> {
    const version = await this.#versionOf(name, options);
    if (!version) throw this.#absent(name);
    yield* this.#versions.read(name, version.versionId, range, options);
  }

  async stat(name: string, options?: ReadOptions): Promise<FileInfo | undefined> {
    const version = await this.#versionOf(name, options);
    return version && infoOf(version);
  }

  async *list(prefix: string, options?: ReadOptions): AsyncGenerator<FileInfo> {
    for await (const versions of byName(this.#versions.list(prefix, options))) {
      const version = versionAt(this.#time, versions);
      if (version) yield infoOf(version);
    }
  }

  async write(name: string): Promise<void> {
    throw this.#readOnly(`write ${name}`);
  }

  async delete(name: string): Promise<void> {
    throw this.#readOnly(`delete ${name}`);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  async #versionOf(name: string, options?: ReadOptions): Promise<FileVersion | undefined> {
    assertName(name);
    if (this.#remembered.has(name)) return this.#remembered.get(name);
    const versions: FileVersion[] = [];
    for await (const version of this.#versions.list(name, options))
      if (version.name === name) versions.push(version);
    const found = versionAt(this.#time, versions);
    if (this.#remembered.size >= rememberedMax) this.#remembered.clear();
    this.#remembered.set(name, found);
    return found;
  }

  #absent(name: string): StorageError {
    const when = this.#time.toISOString();
    return new StorageError('storage.not-found', `there was no ${name} in ${this.location} at ${when}`, {
      hint: 'Choose another time; the storage’s clock counts.',
    });
  }

  #readOnly(action: string): StorageError {
    return new StorageError('storage.read-only', `cannot ${action} in the past`, {
      hint: 'Leave --as-of out to change something.',
    });
  }
}

/** The content that was seen at the time; undefined when there was none. */
function versionAt(time: Date, versions: readonly FileVersion[]): FileVersion | undefined {
  const newestFirst = versions
    .filter(({ modifiedAt }) => modifiedAt !== undefined && modifiedAt <= time)
    .sort((a, b) => b.modifiedAt!.getTime() - a.modifiedAt!.getTime() || rank(a) - rank(b));
  const [newest] = newestFirst;
  return newest?.isDeleteMarker ? undefined : newest;
}

/** Among those of one moment: the current one first, and rather a content than a marker. */
function rank({ isLatest, isDeleteMarker }: FileVersion): number {
  return isLatest ? 0 : isDeleteMarker ? 2 : 1;
}

/** Groups that follow each other. */
async function* byName(versions: AsyncIterable<FileVersion>): AsyncGenerator<FileVersion[]> {
  let group: FileVersion[] = [];
  for await (const version of versions) {
    if (group.length > 0 && group[0]!.name !== version.name) {
      yield group;
      group = [];
    }
    group.push(version);
  }
  if (group.length > 0) yield group;
}

function infoOf({ name, sizeBytes, modifiedAt, etag }: FileVersion): FileInfo {
  return { name, sizeBytes, ...(modifiedAt && { modifiedAt }), ...(etag && { etag }) };
}

/** What became of a file after a time. */
export interface Tampering {
  name: string;
  /** Hidden by a marker, or written over. */
  kind: 'hidden' | 'replaced';
  at: Date | undefined;
}

/**
 * Files that were there at the time and were hidden or written over since. In a repository nobody does so who means
 * well, but for `locks/`: its files have names of their own, and a prune deletes versions.
 */
export async function* tamperingSince(
  storage: Storage,
  time: Date,
  options?: ReadOptions,
): AsyncGenerator<Tampering> {
  const { versions } = storage;
  if (!versions) return;
  for await (const group of byName(versions.list('', options))) {
    const then = versionAt(time, group);
    const now = group.find(({ isLatest }) => isLatest);
    if (!then || !now || now.versionId === then.versionId) continue;
    yield { name: then.name, kind: now.isDeleteMarker ? 'hidden' : 'replaced', at: now.modifiedAt };
  }
}
