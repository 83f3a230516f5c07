import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type Content, type Storage, StorageError } from '#storage';

/** A storage in memory whose files a test can look at and break. */
export interface MemoryStorage extends Storage {
  files: Map<string, Uint8Array>;
}

/** @param files what it holds at first, by name */
export function memoryStorage(files: Map<string, Uint8Array> = new Map()): MemoryStorage {
  return {
    files,
    location: 'memory',
    capabilities: { conditionalCreate: true, atomicWrite: true, concurrency: 4 },
    async *read(name, range, options) {
      options?.signal?.throwIfAborted();
      const bytes = files.get(name);
      if (!bytes) throw new StorageError('storage.not-found', `there is no ${name}`);
      yield range ? bytes.subarray(range.offset, range.offset + range.length) : bytes;
    },
    async write(name, content, options) {
      options?.signal?.throwIfAborted();
      if (options?.ifAbsent && files.has(name)) throw new StorageError('storage.exists', `${name} exists`);
      files.set(name, bytesOf(content));
    },
    async stat(name) {
      const bytes = files.get(name);
      return bytes && { name, sizeBytes: bytes.length };
    },
    async *list(prefix, options) {
      options?.signal?.throwIfAborted();
      for (const [name, { length }] of [...files])
        if (name.startsWith(prefix)) yield { name, sizeBytes: length };
    },
    async delete(name, options) {
      options?.signal?.throwIfAborted();
      files.delete(name);
    },
    async close() {},
  };
}

function bytesOf(content: Content): Uint8Array {
  if (content instanceof Uint8Array) return new Uint8Array(content);
  if (Array.isArray(content)) return Buffer.concat(content);
  throw new Error('this storage takes bytes at hand only');
}

const vectors = join(import.meta.dirname, '../../../../test/vectors');

/** The bytes of a file under test/vectors. */
export function vector(name: string): Uint8Array {
  return readFileSync(join(vectors, name));
}

/** A folder under test/vectors as a storage. */
export function vectorStorage(folder: string): MemoryStorage {
  const root = join(vectors, folder);
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => statSync(join(root, name)).isFile());
  return memoryStorage(new Map(files.map((name) => [relative('', name), readFileSync(join(root, name))])));
}
