import type { Random } from '#base';
import { type ReadOptions, type Storage, StorageError, type WriteOptions } from '#storage';
import { RepositoryError } from './errors.ts';
import { idOf } from './format/ids.ts';
import { type FileIds, nameOf } from './format/names.ts';
import { type MasterKey, open, seal } from './format/sealed.ts';
import { compress, decompress } from './format/zstd.ts';
import { listStored, loadStored, type StoredFile } from './unpacked-raw.ts';

/** Kinds of files that hold sealed JSON. */
export type UnpackedKind = 'index' | 'snapshots' | 'locks';

/** A file that is ready to be stored. Its id is known before it is uploaded. */
export interface SealedFile<Kind extends UnpackedKind> {
  kind: Kind;
  id: FileIds[Kind];
  bytes: Uint8Array;
}

export interface UnpackedOptions {
  storage: Storage;
  key: MasterKey;
  random: Random;
  /** Of the repository: version 1 knows no compression. */
  version: 1 | 2;
}

/** First byte of a plaintext that is zstd; JSON begins with a brace or a bracket instead. */
const zstdMark = 2;
const jsonObjectMark = 0x7b;
const jsonArrayMark = 0x5b;

/** An index of five million blobs is about 1 GB of JSON. */
const jsonBytesMax = 2 ** 31;

/** Index, snapshot and lock files: `seal(0x02 || zstd(JSON))`, named by the hash of that (restic design.rst, Unpacked Data Format). */
export class UnpackedFiles {
  readonly storage: Storage;
  readonly #key: MasterKey;
  readonly #random: Random;
  readonly #version: 1 | 2;

  constructor(options: UnpackedOptions) {
    this.storage = options.storage;
    this.#key = options.key;
    this.#random = options.random;
    this.#version = options.version;
  }

  /** Stores JSON and returns the id of the file. Durable when resolved. */
  async save<Kind extends UnpackedKind>(
    kind: Kind,
    json: Uint8Array | string,
    options?: WriteOptions,
  ): Promise<FileIds[Kind]> {
    const file = this.seal(kind, json);
    await this.store(file, options);
    return file.id;
  }

  /** Makes a file without storing it. What was sealed is opened again and compared: bad memory is found before it harms. */
  seal<Kind extends UnpackedKind>(kind: Kind, json: Uint8Array | string): SealedFile<Kind> {
    const plain = typeof json === 'string' ? Buffer.from(json) : json;
    const bytes = seal(this.#key, this.#version === 1 ? plain : marked(compress(plain)), this.#random);
    if (Buffer.compare(this.open(bytes), plain) !== 0) {
      throw new RepositoryError(
        'repository.internal',
        `a sealed file of ${kind} does not open to what went in`,
        {
          hint: 'The memory or the processor of this machine may be faulty. Test it before the next backup.',
        },
      );
    }
    return { kind, id: idOf(bytes) as FileIds[Kind], bytes };
  }

  /** Uploads a sealed file; may be repeated. */
  async store<Kind extends UnpackedKind>(file: SealedFile<Kind>, options?: WriteOptions): Promise<void> {
    await this.storage.write(nameOf(file.kind, file.id), file.bytes, options);
  }

  /**
   * The JSON in a file, authenticated.
   * @throws RepositoryError 'repository.damaged'; StorageError 'storage.not-found'
   */
  async load<Kind extends UnpackedKind>(
    kind: Kind,
    id: FileIds[Kind],
    options?: ReadOptions,
  ): Promise<Uint8Array> {
    return this.open(await loadStored(this.storage, kind, id, options));
  }

  /** All files of a kind, in no order. */
  list<Kind extends UnpackedKind>(
    kind: Kind,
    options?: ReadOptions,
  ): AsyncIterable<StoredFile<FileIds[Kind]>> {
    return listStored(this.storage, kind, options);
  }

  /** Removes a file; succeeds when it is not there. What object lock keeps is hidden: it must not be taken for current. */
  async delete<Kind extends UnpackedKind>(
    kind: Kind,
    id: FileIds[Kind],
    options?: ReadOptions,
  ): Promise<void> {
    const name = nameOf(kind, id);
    try {
      await this.storage.delete(name, options);
    } catch (error) {
      const { retention } = this.storage;
      if (!retention || !(error instanceof StorageError && error.code === 'storage.locked')) throw error;
      await retention.hide(name, options);
    }
  }

  /** The JSON in the bytes of a stored file, authenticated. @throws RepositoryError 'repository.damaged' */
  open(bytes: Uint8Array): Uint8Array {
    const plain = open(this.#key, bytes);
    switch (plain[0]) {
      case zstdMark:
        return decompress(plain.subarray(1), jsonBytesMax);
      case jsonObjectMark:
      case jsonArrayMark:
        return plain;
      default:
        throw new RepositoryError('repository.damaged', 'an unpacked file has an unknown encoding', {
          hint: 'A newer program may have written it. Update Holdfast.',
          context: { firstByte: plain[0] },
        });
    }
  }
}

function marked(frame: Uint8Array): Uint8Array {
  const plain = new Uint8Array(frame.length + 1);
  plain[0] = zstdMark;
  plain.set(frame, 1);
  return plain;
}
