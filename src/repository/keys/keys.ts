import assert from 'node:assert/strict';
import type { Clock, Random } from '#base';
import type { ReadOptions, Storage } from '#storage';
import { RepositoryError } from '../errors.ts';
import type { KeyId } from '../format/ids.ts';
import { configName } from '../format/names.ts';
import { isSameKey, type MasterKey } from '../format/sealed.ts';
import { listStored, loadStored, saveStored } from '../unpacked-raw.ts';
import { calibrateKdf, type KdfParameters } from './kdf.ts';
import { createKeyFile, type KeyFile, openKeyFile, parseKeyFile } from './key-file.ts';

/** The master key together with the key file that gave it. */
export interface OpenedKey {
  id: KeyId;
  key: MasterKey;
}

export interface NewKey {
  password: string;
  /** Who made it; stands in the clear. */
  username: string;
  hostname: string;
  clock: Clock;
  random: Random;
  /** Cost of guessing; by default half a second of this machine. */
  kdf?: KdfParameters;
}

export interface ListedKey {
  id: KeyId;
  /** Undefined when the file is damaged. */
  file: KeyFile | undefined;
}

/** Each try costs the time of one derivation, so there is an end. */
const triesMax = 20;

/**
 * Finds the key file that the password opens.
 * @param options.hint beginning of the id of the key to try first
 * @throws RepositoryError 'repository.absent', 'repository.wrong-password', 'repository.damaged'
 */
export async function openWithPassword(
  storage: Storage,
  password: string,
  options: ReadOptions & { hint?: string } = {},
): Promise<OpenedKey> {
  const ids = await keyIds(storage, options);
  if (ids.length === 0) throw await noKeys(storage, options);
  const { hint } = options;
  if (hint) ids.sort((a, b) => Number(b.startsWith(hint)) - Number(a.startsWith(hint)));
  let damaged = 0;
  for (const id of ids.slice(0, triesMax)) {
    const file = await loadKey(storage, id, options);
    const key = file && (await openKeyFile(file, password));
    if (key) return { id, key };
    if (!file) damaged++;
  }
  throw notOpened(storage, { count: ids.length, damaged });
}

/** Stores the master key under one more password. What was stored is read back and opened before this resolves. */
export async function storeKey(storage: Storage, masterKey: MasterKey, newKey: NewKey): Promise<KeyId> {
  const { password, username, hostname, clock, random } = newKey;
  const label = { createdAtMs: clock.nowMs(), username, hostname };
  const kdf = newKey.kdf ?? (await calibrateKdf(clock));
  const bytes = await createKeyFile(masterKey, password, { label, kdf, random });
  const id = await saveStored(storage, 'keys', bytes);
  const opened = await openKeyFile(parseKeyFile(await loadStored(storage, 'keys', id)), password);
  assert(opened && isSameKey(opened, masterKey), 'a new key file opens to the master key');
  return id;
}

/** All key files, oldest first. */
export async function listKeys(storage: Storage, options?: ReadOptions): Promise<ListedKey[]> {
  const keys: ListedKey[] = [];
  for (const id of await keyIds(storage, options))
    keys.push({ id, file: await loadKey(storage, id, options) });
  return keys.sort((a, b) => (a.file?.createdAtMs ?? 0) - (b.file?.createdAtMs ?? 0));
}

async function keyIds(storage: Storage, options?: ReadOptions): Promise<KeyId[]> {
  const ids: KeyId[] = [];
  for await (const { id } of listStored(storage, 'keys', options)) ids.push(id);
  return ids.sort();
}

/** Undefined for a damaged key file: another one may still open. */
async function loadKey(storage: Storage, id: KeyId, options?: ReadOptions): Promise<KeyFile | undefined> {
  try {
    return parseKeyFile(await loadStored(storage, 'keys', id, options));
  } catch (error) {
    if (error instanceof RepositoryError) return undefined;
    throw error;
  }
}

async function noKeys(storage: Storage, options: ReadOptions): Promise<RepositoryError> {
  if (await storage.stat(configName, options)) {
    return new RepositoryError(
      'repository.damaged',
      `the repository at ${storage.location} has lost its keys`,
      {
        hint: 'Copy a file back into `keys/` from a replica or the recovery kit. Without a key nothing can be read.',
      },
    );
  }
  return new RepositoryError('repository.absent', `there is no repository at ${storage.location}`, {
    hint: 'Check the location, or make a repository there with `holdfast init`.',
  });
}

function notOpened(
  storage: Storage,
  { count, damaged }: { count: number; damaged: number },
): RepositoryError {
  const tried = Math.min(count, triesMax);
  if (damaged === tried) {
    return new RepositoryError('repository.damaged', `no key of ${storage.location} can be read`, {
      hint: 'Copy a file back into `keys/` from a replica or the recovery kit. Without a key nothing can be read.',
    });
  }
  const aside = damaged > 0 ? ` (${damaged} more are damaged)` : '';
  return new RepositoryError(
    'repository.wrong-password',
    `the password opens none of ${tried - damaged} keys of ${storage.location}${aside}`,
    {
      hint:
        count > triesMax
          ? `Only ${triesMax} of ${count} keys were tried. Name yours with --key-hint.`
          : 'Check the password, and that it is the one of this repository.',
    },
  );
}
