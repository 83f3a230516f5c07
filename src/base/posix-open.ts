import { existsSync } from 'node:fs';
import { libc } from './native.ts';
import type { Posix } from './posix.ts';
import { NativePosix } from './posix-native.ts';
import { portablePosix } from './posix-portable.ts';

let system: Posix | undefined;

/** The file system calls of this machine, opened once in each thread. */
export function systemPosix(): Posix {
  system ??= openPosix();
  return system;
}

/**
 * Calls by libc where node:ffi gives it, otherwise by node:fs with fewer capabilities.
 * @param how `portable`: by node:fs alone, to try what happens on a Node without node:ffi
 */
export function openPosix(how: { portable?: boolean } = {}): Posix {
  const hasProc = process.platform === 'linux' && existsSync('/proc/self/fd');
  const functions = how.portable || !hasProc ? undefined : libc();
  const portable = portablePosix({ hasProc });
  return functions ? new NativePosix(functions, portable) : portable;
}
