import { type FileHandle, open, rm, stat, statfs, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemCodeOf } from '#base';
import { watched } from '../content.ts';
import { StorageError } from '../errors.ts';
import { assertName, assertPrefix } from '../names.ts';
import { assertRange, rangeWithin, tooShort } from '../range.ts';
import type {
  ByteRange,
  Content,
  FileInfo,
  ReadOptions,
  Space,
  Storage,
  UnfinishedOptions,
  WriteOptions,
} from '../storage.ts';
import { isTemporary } from '../temporary.ts';
import { type Modes, writeAtomically } from './atomic-write.ts';
import { syncFolder } from './folders.ts';
import { isNoFile, storageErrorOf } from './system-error.ts';
import { walk } from './walk.ts';

/** A longer read comes in pieces of this size. */
const pieceBytesMax = 1024 * 1024;

const ownerOnly: Modes = { folder: 0o700, file: 0o400 };
const withGroup: Modes = { folder: 0o770, file: 0o440 };

/** A folder on disk, laid out and written as restic does it. Files appear whole, are durable, and read-only. */
export class LocalStorage implements Storage {
  readonly location: string;
  readonly capabilities = { conditionalCreate: true, atomicWrite: true, concurrency: 2 };
  readonly #root: string;
  #modes: Modes | undefined;
  /** Folders whose deletes may not be on disk yet, with their first part. */
  readonly #deletedIn = new Map<string, string>();
  #deletesSettled: Promise<unknown> = Promise.resolve();

  /** @param root absolute; made by the first write */
  constructor(root: string, location = `local:${root}`) {
    this.#root = root;
    this.location = location;
  }

  async *read(name: string, range?: ByteRange, options: ReadOptions = {}): AsyncGenerator<Uint8Array> {
    const path = this.#pathOf(name);
    options.signal?.throwIfAborted();
    try {
      await using file = await open(path, 'r');
      yield* piecesIn(file, name, range, options);
    } catch (error) {
      throw isNoFile(error) ? notFound(name, this.#root, error) : this.#asStorageError(error, `read ${name}`);
    }
  }

  async write(name: string, content: Content, options: WriteOptions = {}): Promise<void> {
    const path = this.#pathOf(name);
    options.signal?.throwIfAborted();
    const watch = watched(content);
    try {
      await writeAtomically(path, watch.content, { ...options, modes: await this.#modesOf() });
    } catch (error) {
      throw error === watch.failure ? error : this.#asStorageError(error, `write ${name}`);
    }
  }

  async stat(name: string, options: ReadOptions = {}): Promise<FileInfo | undefined> {
    const path = this.#pathOf(name);
    options.signal?.throwIfAborted();
    try {
      const stats = await stat(path);
      return stats.isFile() ? { name, sizeBytes: stats.size, modifiedAt: stats.mtime } : undefined;
    } catch (error) {
      if (isNoFile(error)) return undefined;
      throw this.#asStorageError(error, `look at ${name}`);
    }
  }

  async *list(prefix: string, options: ReadOptions = {}): AsyncGenerator<FileInfo> {
    assertPrefix(prefix);
    try {
      for await (const { name, stats } of walk(this.#root, prefix, options.signal))
        if (!isTemporary(name)) yield { name, sizeBytes: stats.size, modifiedAt: stats.mtime };
    } catch (error) {
      throw this.#asStorageError(error, `list ${prefix}`);
    }
  }

  /** One unlink. Only deletes in different top folders are kept in order across a loss of power (an index goes before its packs). */
  async delete(name: string, options: ReadOptions = {}): Promise<void> {
    const path = this.#pathOf(name);
    options.signal?.throwIfAborted();
    const topFolder = name.slice(0, name.indexOf('/') + 1);
    try {
      await this.#settleDeletes(topFolder);
      await unlink(path);
      this.#deletedIn.set(dirname(path), topFolder);
    } catch (error) {
      if (!isNoFile(error)) throw this.#asStorageError(error, `delete ${name}`);
    }
  }

  async space(options: ReadOptions = {}): Promise<Space> {
    options.signal?.throwIfAborted();
    for (let path = this.#root; ; path = dirname(path)) {
      try {
        const { bavail, blocks, bsize } = await statfs(path);
        return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
      } catch (error) {
        // The folder may not exist yet; then the one above says how much room it would have.
        if (systemCodeOf(error) !== 'ENOENT' || path === dirname(path))
          throw this.#asStorageError(error, 'ask for the free room');
      }
    }
  }

  async removeUnfinished(before: Date, { prefix = '', signal }: UnfinishedOptions = {}): Promise<number> {
    let count = 0;
    try {
      for await (const { name, stats } of walk(this.#root, prefix, signal)) {
        if (!isTemporary(name) || stats.mtime >= before) continue;
        await rm(join(this.#root, name), { force: true });
        count++;
      }
    } catch (error) {
      throw this.#asStorageError(error, 'remove unfinished files');
    }
    return count;
  }

  async close(): Promise<void> {
    await this.#settleDeletes(undefined);
  }

  #pathOf(name: string): string {
    assertName(name);
    if (isTemporary(name)) {
      throw new StorageError('storage.name', `${name} looks like an unfinished file`, {
        hint: 'Names that end in "-tmp-" and 16 hexadecimal digits are kept for files that are being written.',
      });
    }
    return join(this.#root, name);
  }

  /** What the group may read is told by the file `config`, as in restic; until it exists, nothing. */
  async #modesOf(): Promise<Modes> {
    if (this.#modes) return this.#modes;
    const config = await stat(join(this.#root, 'config')).catch(() => undefined);
    if (!config) return ownerOnly;
    this.#modes = config.mode & 0o040 ? withGroup : ownerOnly;
    return this.#modes;
  }

  /** Deletes made so far outside of the top folder reach the disk. */
  async #settleDeletes(topFolder: string | undefined): Promise<void> {
    const folders = [...this.#deletedIn].filter(([, top]) => top !== topFolder).map(([folder]) => folder);
    for (const folder of folders) this.#deletedIn.delete(folder);
    if (folders.length > 0)
      this.#deletesSettled = Promise.all([this.#deletesSettled, ...folders.map(syncFolder)]);
    await this.#deletesSettled;
  }

  #asStorageError(error: unknown, action: string): unknown {
    return storageErrorOf(error, action, this.#root);
  }
}

/** A small range is one pread, without asking for the size first. */
async function* piecesIn(
  file: FileHandle,
  name: string,
  range: ByteRange | undefined,
  { signal, into }: ReadOptions,
): AsyncGenerator<Uint8Array> {
  if (range) assertRange(range);
  const wanted = range?.length ? range : rangeWithin(name, await sizeOfFile(file), range);
  const end = wanted.offset + wanted.length;
  for (let position = wanted.offset; position < end; position += pieceBytesMax) {
    signal?.throwIfAborted();
    const length = Math.min(pieceBytesMax, end - position);
    const done = position - wanted.offset;
    // Not from Node's pool: the receiver may hand the memory to another thread.
    const piece = into?.subarray(done, done + length) ?? Buffer.allocUnsafeSlow(length);
    if (!(await fillFrom(file, piece, position))) throw tooShort(name, wanted);
    yield piece;
  }
}

/** @throws Error 'EISDIR' for a folder, which can be opened but not read */
async function sizeOfFile(file: FileHandle): Promise<number> {
  const stats = await file.stat();
  if (stats.isDirectory()) throw Object.assign(new Error('is a folder'), { code: 'EISDIR' });
  return stats.size;
}

/** Returns false when the file ends before the piece is full. */
async function fillFrom(file: FileHandle, piece: Uint8Array, position: number): Promise<boolean> {
  for (let done = 0; done < piece.length; ) {
    const { bytesRead } = await file.read(piece, done, piece.length - done, position + done);
    if (bytesRead === 0) return false;
    done += bytesRead;
  }
  return true;
}

function notFound(name: string, root: string, cause: unknown): StorageError {
  return new StorageError('storage.not-found', `there is no ${name} in ${root}`, {
    hint: 'Check the location; somebody may have removed the file.',
    cause,
  });
}
