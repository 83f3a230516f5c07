import type { ReadOptions, Storage, WriteOptions } from '#storage';
import { RepositoryError } from './errors.ts';
import { idOf } from './format/ids.ts';
import { type FileIds, type FileKind, idOfName, nameOf } from './format/names.ts';

/** Kinds of small files that are read whole. */
export type SmallKind = Exclude<FileKind, 'data'>;

/** Larger than any index file that restic ever wrote; a storage that sends more is refused. */
const storedBytesMax = 512 * 1024 * 1024;

export interface StoredFile<Id> {
  id: Id;
  sizeBytes: number;
}

/** Files of one kind. What has no id for a name is passed over. */
export async function* listStored<Kind extends FileKind>(
  storage: Storage,
  kind: Kind,
  options?: ReadOptions,
): AsyncGenerator<StoredFile<FileIds[Kind]>> {
  for await (const { name, sizeBytes } of storage.list(`${kind}/`, options)) {
    const id = idOfName(kind, name);
    if (id !== undefined) yield { id, sizeBytes };
  }
}

/**
 * A small file as it is stored. Its hash is compared with its name; a mismatch is read once more, since
 * the fault may have been in the transfer.
 * @throws RepositoryError 'repository.damaged'; StorageError 'storage.not-found'
 */
export async function loadStored<Kind extends SmallKind>(
  storage: Storage,
  kind: Kind,
  id: FileIds[Kind],
  options?: ReadOptions,
): Promise<Uint8Array> {
  const name = nameOf(kind, id);
  for (let attempt = 1; attempt <= 2; attempt++) {
    const bytes = await readWhole(storage, name, options);
    if (idOf(bytes) === id) return bytes;
  }
  throw new RepositoryError('repository.damaged', `the content of ${name} does not hash to its name`, {
    hint: 'The storage returns other bytes than were written. Run `holdfast check` to see what else is damaged.',
    context: { name },
  });
}

/** Stores the bytes under their hash. Storing the same again succeeds. */
export async function saveStored<Kind extends SmallKind>(
  storage: Storage,
  kind: Kind,
  bytes: Uint8Array,
  options?: WriteOptions,
): Promise<FileIds[Kind]> {
  const id = idOf(bytes) as FileIds[Kind];
  await storage.write(nameOf(kind, id), bytes, options);
  return id;
}

/** A file of bounded size. */
export async function readWhole(storage: Storage, name: string, options?: ReadOptions): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const piece of storage.read(name, undefined, options)) {
    sizeBytes += piece.length;
    if (sizeBytes > storedBytesMax) {
      throw new RepositoryError('repository.damaged', `${name} is longer than ${storedBytesMax} bytes`, {
        hint: 'No repository holds such a file here. Look at it in the storage and remove it if it is foreign.',
      });
    }
    pieces.push(piece);
  }
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
}
