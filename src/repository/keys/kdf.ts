import { scrypt } from 'node:crypto';
import type { Clock } from '#base';
import type { MasterKey } from '../format/sealed.ts';

/** Cost of scrypt: memory is 128·N·r bytes, time grows with N·r·p. */
export interface KdfParameters {
  N: number;
  r: number;
  p: number;
}

export const saltBytes = 64;

const targetMs = 500;
/** 32 MiB: the largest power of two below restic's limit of 60 MiB. Slow machines get no less. */
const calibratedN = 2 ** 15;
const calibratedR = 8;
const pMax = 16;

/** What a key file may ask of this machine. rustic takes 128 MiB, so 1 GiB is generous. */
const memoryBytesMax = 2 ** 30;

/** Parameters with which this machine needs about half a second. */
export async function calibrateKdf(clock: Clock): Promise<KdfParameters> {
  const once: KdfParameters = { N: calibratedN, r: calibratedR, p: 1 };
  const begunMs = clock.monotonicMs();
  await deriveKey('', new Uint8Array(saltBytes), once);
  const onceMs = Math.max(1, clock.monotonicMs() - begunMs);
  return { ...once, p: Math.min(Math.max(Math.floor(targetMs / onceMs), 1), pMax) };
}

/** Whether scrypt accepts the parameters, and this machine too. */
export function isBearable({ N, r, p }: KdfParameters): boolean {
  const isPowerOfTwo = Number.isInteger(N) && N > 1 && Number.isInteger(Math.log2(N));
  const isCount = Number.isInteger(r) && Number.isInteger(p) && r > 0 && p > 0 && p <= 64;
  return isPowerOfTwo && isCount && 128 * N * r <= memoryBytesMax;
}

/** The key that seals the master key: scrypt of the password's UTF-8 bytes (restic design.rst, Keys). */
export function deriveKey(password: string, salt: Uint8Array, parameters: KdfParameters): Promise<MasterKey> {
  const { N, r, p } = parameters;
  const maxmem = 128 * r * (N + p + 2) + 2 ** 20;
  return new Promise((resolve, reject) => {
    scrypt(password, salt, 64, { N, r, p, maxmem }, (error, key) => {
      if (error) reject(error);
      else resolve({ encrypt: key.subarray(0, 32), macK: key.subarray(32, 48), macR: key.subarray(48, 64) });
    });
  });
}
