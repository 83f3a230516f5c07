import crypto, { type BinaryLike, type ScryptOptions } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';

let isDone = false;

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
    const key = crypto.scryptSync(password, salt, keyBytes, options);
    queueMicrotask(() => callback(null, key));
  };
  Object.assign(crypto, { scrypt });
  syncBuiltinESMExports();
}
