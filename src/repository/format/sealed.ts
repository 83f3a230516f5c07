import { type Cipheriv, createCipheriv, createDecipheriv, timingSafeEqual } from 'node:crypto';
import type { Random } from '#base';
import { RepositoryError } from '../errors.ts';
import { poly1305 } from './poly1305.ts';

/** The secret of a repository, or the one derived from a password: AES-256 key, AES-128 key `k`, Poly1305 `r`. */
export interface MasterKey {
  /** 32 bytes. */
  encrypt: Uint8Array;
  /** 16 bytes. */
  macK: Uint8Array;
  /** 16 bytes, not yet clamped. */
  macR: Uint8Array;
}

/** Bytes that sealing adds: IV and MAC. */
export const sealOverheadBytes = 32;

const ivBytes = 16;
const macBytes = 16;

/** A new random master key. */
export function randomMasterKey(random: Random): MasterKey {
  const key = {
    encrypt: random.fill(new Uint8Array(32)),
    macK: random.fill(new Uint8Array(16)),
    macR: random.fill(new Uint8Array(16)),
  };
  return isUsable(key) ? key : randomMasterKey(random);
}

/**
 * Encrypts and authenticates: `IV (16) || AES-256-CTR ciphertext || Poly1305-AES MAC (16)`
 * (restic design.rst, Keys, Encryption and MAC). The MAC covers the ciphertext only.
 */
export function seal(key: MasterKey, plain: Uint8Array, random: Random): Uint8Array {
  assertUsable(key);
  const unit = new Uint8Array(plain.length + sealOverheadBytes);
  const iv = random.fill(unit.subarray(0, ivBytes));
  while (isZero(iv)) random.fill(iv);
  const ciphertext = createCipheriv('aes-256-ctr', key.encrypt, iv).update(plain);
  unit.set(ciphertext, ivBytes);
  unit.set(macOf(key, iv, ciphertext), ivBytes + ciphertext.length);
  return unit;
}

/**
 * Undoes `seal`. The MAC is verified, in constant time, before anything is decrypted.
 * @throws RepositoryError 'repository.damaged' when the bytes were changed or sealed with another key
 */
export function open(key: MasterKey, unit: Uint8Array): Uint8Array {
  assertUsable(key);
  if (unit.length < sealOverheadBytes)
    throw damaged(`${unit.length} bytes are too short for an encrypted unit`);
  const iv = unit.subarray(0, ivBytes);
  const ciphertext = unit.subarray(ivBytes, unit.length - macBytes);
  const mac = unit.subarray(unit.length - macBytes);
  if (isZero(iv)) throw damaged('an encrypted unit has an all-zero nonce');
  if (!timingSafeEqual(macOf(key, iv, ciphertext), mac)) throw damaged('ciphertext verification failed');
  return createDecipheriv('aes-256-ctr', key.encrypt, iv).update(ciphertext);
}

/** Whether no part of the key is all zero, which the format forbids. */
export function isUsable(key: MasterKey): boolean {
  return !isZero(key.encrypt) && !isZero(key.macK) && !isZero(key.macR);
}

export function isSameKey(a: MasterKey, b: MasterKey): boolean {
  const bytesOf = ({ encrypt, macK, macR }: MasterKey) => Buffer.concat([encrypt, macK, macR]);
  return timingSafeEqual(bytesOf(a), bytesOf(b));
}

function macOf(key: MasterKey, iv: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  const oneTimeKey = new Uint8Array(32);
  oneTimeKey.set(key.macR, 0);
  let cipher = nonceCiphers.get(key);
  if (!cipher) {
    cipher = createCipheriv('aes-128-ecb', key.macK, null).setAutoPadding(false);
    nonceCiphers.set(key, cipher);
  }
  oneTimeKey.set(cipher.update(iv), 16);
  return poly1305(oneTimeKey, ciphertext);
}

/** AES of one block keeps no state, so a key needs one cipher only: making it costs more than a small file. */
const nonceCiphers = new WeakMap<MasterKey, Cipheriv>();

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

function assertUsable(key: MasterKey): void {
  if (!isUsable(key)) throw damaged('a key of zeros was refused');
}

function damaged(message: string): RepositoryError {
  return new RepositoryError('repository.damaged', message, {
    hint: 'Run `holdfast check --read-data` to see what else is damaged.',
  });
}
