import crypto, { type BinaryLike, type ScryptOptions } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';

let isDone = false;

/** Worlds open the same few key files again and again. */
const derived = new Map<string, Buffer>();
const derivedMax = 5000;

/**
 * Makes scrypt answer at once, on this thread: the thread pool answers at a moment that no seed decides. For the
 * whole process.
 */
export function deriveKeysAtOnce(): void {
  if (isDone) return;
  isDone = true;
  const scrypt = (
    password: BinaryLike,
    salt: BinaryLike,
    keyBytes: number,
    options: ScryptOptions,
    callback: (error: Error | null, key: Buffer) => void,
  ): void => {
    const asked = JSON.stringify([textOf(password), textOf(salt), keyBytes, options.N, options.r, options.p]);
    const key = derived.get(asked) ?? crypto.scryptSync(password, salt, keyBytes, options);
    if (derived.size >= derivedMax) derived.clear();
    derived.set(asked, key);
    queueMicrotask(() => callback(null, Buffer.from(key)));
  };
  Object.assign(crypto, { scrypt });
  syncBuiltinESMExports();
}

const textOf = (bytes: BinaryLike): string =>
  typeof bytes === 'string' ? bytes : Buffer.from(bytes as Uint8Array).toString('latin1');
