import type { Storage } from '#storage';
import { RepositoryError } from '../errors.ts';
import type { KeyId } from '../format/ids.ts';
import { nameOf } from '../format/names.ts';
import { isSameKey } from '../format/sealed.ts';
import { isLoss } from '../loss.ts';
import type { Repository } from '../repository.ts';
import { loadStored } from '../unpacked-raw.ts';
import type { KdfParameters } from './kdf.ts';
import { type ListedKey, listKeys, type NewKey, type OpenedKey, openWithPassword, storeKey } from './keys.ts';

export interface AddKeyOptions {
  /** The new password. */
  password: string;
  /** Who stands in the key file, in the clear; this process's owner by default. */
  username?: string | undefined;
  hostname?: string | undefined;
  /** Cost of guessing the password; by default half a second of this machine. */
  kdf?: KdfParameters;
  signal?: AbortSignal;
}

/** Adds a password. The new key file was read back and opened when this resolves. */
export async function addKey(repository: Repository, options: AddKeyOptions): Promise<KeyId> {
  await using _lock = await repository.lock({ exclusive: false, isReading: false, signal: options.signal });
  // Awaited here: the lock goes when this function returns.
  return await storeKey(repository.storage, repository.key.key, newKeyOf(repository, options));
}

/**
 * Deletes a key file: its password opens the repository no more. Who has the master key already keeps it.
 * @param idPrefix of one key
 * @throws RepositoryError 'repository.key' when no or several ids begin so, and for the key in use
 */
export async function removeKey(
  repository: Repository,
  idPrefix: string,
  options: { signal?: AbortSignal } = {},
): Promise<ListedKey> {
  await using lock = await repository.lock({ exclusive: true, ...options });
  const { storage } = repository;
  const key = findKey(await listKeys(storage, { signal: lock.signal }), idPrefix);
  const inUse = repository.key.id;
  if (key.id === inUse) {
    throw new RepositoryError('repository.key', `key ${key.id.slice(0, 8)} is the one in use`, {
      hint: 'Open the repository with another password to remove this one, or change the password.',
    });
  }
  // What must be left behind is the one that opened this repository.
  await assertThere(storage, inUse, lock.signal);
  await lock.assertHeld();
  await storage.delete(nameOf('keys', key.id), { signal: lock.signal });
  return key;
}

/**
 * Replaces the password of the key in use: the new key file was read back and opened before the old one is deleted.
 * After an interruption both passwords open; a second run goes on with the key that the first one made.
 */
export async function changePassword(repository: Repository, options: AddKeyOptions): Promise<KeyId> {
  await using lock = await repository.lock({ exclusive: true, signal: options.signal });
  const { storage, key } = repository;
  const present = await keyOf(repository, options.password);
  if (present?.id === key.id) return key.id;
  const id = present?.id ?? (await storeKey(storage, key.key, newKeyOf(repository, options)));
  await lock.assertHeld();
  await storage.delete(nameOf('keys', key.id), { signal: lock.signal });
  repository.useKeyFile(id);
  return id;
}

/** The key file that this password opens already, if there is one. */
async function keyOf(repository: Repository, password: string): Promise<OpenedKey | undefined> {
  try {
    const opened = await openWithPassword(repository.storage, password);
    return isSameKey(opened.key, repository.key.key) ? opened : undefined;
  } catch (error) {
    if (error instanceof RepositoryError && error.code === 'repository.wrong-password') return undefined;
    throw error;
  }
}

async function assertThere(storage: Storage, id: KeyId, signal: AbortSignal): Promise<void> {
  try {
    await loadStored(storage, 'keys', id, { signal });
  } catch (cause) {
    if (!isLoss(cause)) throw cause;
    throw new RepositoryError('repository.key', `the key in use, ${id.slice(0, 8)}, is gone or damaged`, {
      hint: 'Nothing was removed. Open the repository again with a password that works, then try again.',
      cause,
    });
  }
}

function findKey(keys: readonly ListedKey[], idPrefix: string): ListedKey {
  const found = keys.filter(({ id }) => id.startsWith(idPrefix.toLowerCase()));
  if (found.length === 1) return found[0]!;
  const count = found.length === 0 ? 'no key has' : `${found.length} keys have`;
  throw new RepositoryError('repository.key', `${count} an id that begins with '${idPrefix}'`, {
    hint: 'List the keys with `holdfast key list`.',
  });
}

function newKeyOf(repository: Repository, options: AddKeyOptions): NewKey {
  const { owner, clock, random } = repository;
  const { password, username = owner.username, hostname = owner.hostname, kdf } = options;
  return { password, username, hostname, clock, random, ...(kdf ? { kdf } : {}) };
}
