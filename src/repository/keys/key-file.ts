import type { Random } from '#base';
import { RepositoryError } from '../errors.ts';
import { formatGoTime, parseGoTime } from '../format/go-time.ts';
import { malformed, parseJson, recordOf, textOf } from '../format/json.ts';
import { isUsable, type MasterKey, open, seal } from '../format/sealed.ts';
import { deriveKey, isBearable, type KdfParameters, saltBytes } from './kdf.ts';

/** A key file: the master key, sealed under a password (restic design.rst, Keys). It lies in the clear. */
export interface KeyFile {
  createdAtMs: number;
  username: string;
  hostname: string;
  kdf: KdfParameters;
  salt: Uint8Array;
  /** The sealed master key. */
  data: Uint8Array;
}

/** Who makes a key file and when; stands in the clear. */
export type KeyLabel = Pick<KeyFile, 'createdAtMs' | 'username' | 'hostname'>;

/** Seals the master key under a password. The result was opened again before it is returned. */
export async function createKeyFile(
  masterKey: MasterKey,
  password: string,
  options: { label: KeyLabel; kdf: KdfParameters; random: Random },
): Promise<Uint8Array> {
  const { label, kdf, random } = options;
  const salt = random.fill(new Uint8Array(saltBytes));
  const userKey = await deriveKey(password, salt, kdf);
  const data = seal(userKey, encodeMasterKey(masterKey), random);
  decodeMasterKey(open(userKey, data));
  const json = JSON.stringify({
    created: formatGoTime(BigInt(Math.floor(label.createdAtMs)) * 1_000_000n),
    username: label.username,
    hostname: label.hostname,
    kdf: 'scrypt',
    N: kdf.N,
    r: kdf.r,
    p: kdf.p,
    salt: base64(salt),
    data: base64(data),
  });
  return Buffer.from(json);
}

/** @throws RepositoryError 'repository.damaged' when it is no key file, or one that asks too much of this machine */
export function parseKeyFile(json: Uint8Array): KeyFile {
  const file = recordOf(parseJson(json, 'a key file'), 'a key file');
  if (file.kdf !== 'scrypt') throw malformed('a key file', `the derivation '${String(file.kdf)}' is unknown`);
  const kdf = { N: Number(file.N), r: Number(file.r), p: Number(file.p) };
  if (!isBearable(kdf)) throw malformed('a key file', 'the cost of its derivation is out of bounds');
  const salt = bytesOf(file.salt, 'the salt of a key');
  if (salt.length !== saltBytes) throw malformed('a key file', `the salt has ${salt.length} bytes`);
  return {
    createdAtMs: Number(parseGoTime(file.created).timeNs / 1_000_000n),
    username: textOf(file.username, 'a key file'),
    hostname: textOf(file.hostname, 'a key file'),
    kdf,
    salt,
    data: bytesOf(file.data, 'the data of a key'),
  };
}

/**
 * The master key, or undefined when the password does not fit this key file. (A file whose sealed data was
 * changed cannot be told from a wrong password; the name of a stored file reveals that.)
 */
export async function openKeyFile(file: KeyFile, password: string): Promise<MasterKey | undefined> {
  const userKey = await deriveKey(password, file.salt, file.kdf);
  let plain: Uint8Array;
  try {
    plain = open(userKey, file.data);
  } catch (error) {
    if (error instanceof RepositoryError) return undefined;
    throw error;
  }
  return decodeMasterKey(plain);
}

function encodeMasterKey({ encrypt, macK, macR }: MasterKey): Uint8Array {
  const json = JSON.stringify({ mac: { k: base64(macK), r: base64(macR) }, encrypt: base64(encrypt) });
  return Buffer.from(json);
}

function decodeMasterKey(json: Uint8Array): MasterKey {
  const { mac, encrypt } = recordOf(parseJson(json, 'a master key'), 'a master key');
  const { k, r } = recordOf(mac, 'a master key');
  const key = {
    encrypt: bytesOf(encrypt, 'a master key'),
    macK: bytesOf(k, 'a master key'),
    macR: bytesOf(r, 'a master key'),
  };
  const isWhole = key.encrypt.length === 32 && key.macK.length === 16 && key.macR.length === 16;
  if (!isWhole || !isUsable(key)) throw malformed('a master key', 'a part of it is missing or zero');
  return key;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

function bytesOf(value: unknown, what: string): Uint8Array {
  if (typeof value === 'string' && /^[A-Za-z0-9+/]*={0,2}$/.test(value)) return Buffer.from(value, 'base64');
  throw malformed(what, 'it is not in base64');
}
