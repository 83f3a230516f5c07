import { closeSync, fchmodSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { messageOf, type Random, systemCodeOf } from '#base';
import { CatalogError } from '../errors.ts';

/** A key that seals secrets, and the name by which what it sealed is known. */
export interface SealingKey {
  id: string;
  /** 32 bytes. */
  key: Buffer;
}

const keySizeBytes = 32;
const line = /^([0-9a-f]{8}) ([A-Za-z0-9+/]{43}=)$/;

/**
 * The master keys of a file: one a line, `ID BASE64`, the one that seals first; older ones only open. Made, with mode
 * 0600, where there is none and `mayMake`.
 * @throws CatalogError 'catalog.master-key'
 */
export function loadMasterKeys(
  path: string,
  { random, mayMake }: { random: Random; mayMake: boolean },
): SealingKey[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT' || !mayMake) throw unreadable(path, messageOf(error));
    const made = [newSealingKey(random)];
    saveMasterKeys(path, made);
    return made;
  }
  const lines = text.split('\n').filter((each) => each !== '');
  const keys = lines.map((each) => line.exec(each));
  if (keys.length === 0 || keys.includes(null)) throw unreadable(path, 'it is not a key of ours');
  return keys.map((match) => ({ id: match![1]!, key: Buffer.from(match![2]!, 'base64') }));
}

/** Whole or not at all, and only for us. */
export function saveMasterKeys(path: string, keys: readonly SealingKey[]): void {
  const temporary = `${path}.new`;
  const file = openSync(temporary, 'w', 0o600);
  try {
    fchmodSync(file, 0o600);
    writeSync(file, keys.map(({ id, key }) => `${id} ${key.toString('base64')}\n`).join(''));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

export function newSealingKey(random: Random): SealingKey {
  return {
    id: Buffer.from(random.fill(new Uint8Array(4))).toString('hex'),
    key: Buffer.from(random.fill(new Uint8Array(keySizeBytes))),
  };
}

function unreadable(path: string, reason: string): CatalogError {
  return new CatalogError('catalog.master-key', `cannot read the master key ${path}: ${reason}`, {
    hint: 'It is in the recovery kit. Put it back there, or name its file by HOLDFAST_MASTER_KEY_FILE.',
  });
}
