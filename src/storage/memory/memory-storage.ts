import { piecesOf } from '../content.ts';
import { StorageError } from '../errors.ts';
import { assertName, assertPrefix } from '../names.ts';
import { rangeWithin } from '../range.ts';
import type { ByteRange, Content, FileInfo, ReadOptions, Storage, WriteOptions } from '../storage.ts';

const pieceBytesMax = 256 * 1024;

/**
 * A storage in memory whose files a test can look at and break. Keeps every promise but durability, and uses
 * no timer, so that a simulation repeats.
 */
export class MemoryStorage implements Storage {
  readonly location = 'memory:';
  readonly capabilities = { conditionalCreate: true, atomicWrite: true, concurrency: 4 };
  readonly files: Map<string, Uint8Array>;

  /** @param files what it holds, by name; several storages may share one map */
  constructor(files: Map<string, Uint8Array> = new Map()) {
    this.files = files;
  }

  async *read(name: string, range?: ByteRange, options: ReadOptions = {}): AsyncGenerator<Uint8Array> {
    assertName(name);
    options.signal?.throwIfAborted();
    const bytes = this.files.get(name);
    if (!bytes) {
      throw new StorageError('storage.not-found', `there is no ${name} in memory`, {
        hint: 'A storage in memory forgets everything when its program ends.',
      });
    }
    const { offset, length } = rangeWithin(name, bytes.length, range);
    const end = offset + length;
    for (let position = offset; position < end; position += pieceBytesMax) {
      options.signal?.throwIfAborted();
      // A copy: whoever reads may change what it got.
      yield new Uint8Array(bytes.subarray(position, Math.min(end, position + pieceBytesMax)));
    }
  }

  async write(name: string, content: Content, options: WriteOptions = {}): Promise<void> {
    assertName(name);
    const pieces: Uint8Array[] = [];
    // The bytes of a stream may be used again by its producer as soon as the next piece is asked for.
    for await (const piece of piecesOf(content, options.signal)) pieces.push(new Uint8Array(piece));
    options.signal?.throwIfAborted();
    if (options.ifAbsent && this.files.has(name)) {
      throw new StorageError('storage.exists', `${name} exists already`, {
        hint: 'Somebody else made it first. Look at what is there before you go on.',
      });
    }
    this.files.set(name, pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces));
  }

  async stat(name: string, options: ReadOptions = {}): Promise<FileInfo | undefined> {
    assertName(name);
    options.signal?.throwIfAborted();
    const bytes = this.files.get(name);
    return bytes && { name, sizeBytes: bytes.length };
  }

  async *list(prefix: string, options: ReadOptions = {}): AsyncGenerator<FileInfo> {
    assertPrefix(prefix);
    for (const name of [...this.files.keys()].filter((name) => name.startsWith(prefix))) {
      options.signal?.throwIfAborted();
      const bytes = this.files.get(name);
      if (bytes) yield { name, sizeBytes: bytes.length };
    }
  }

  async delete(name: string, options: ReadOptions = {}): Promise<void> {
    assertName(name);
    options.signal?.throwIfAborted();
    this.files.delete(name);
  }

  async close(): Promise<void> {}
}
