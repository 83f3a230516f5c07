import { RepositoryError } from '../errors.ts';
import { goJson } from '../format/go-json.ts';
import { formatGoTime, parseGoTime } from '../format/go-time.ts';
import type { LockId } from '../format/ids.ts';
import { isRecord, parseJson } from '../format/json.ts';
import type { LockOwner } from './owner.ts';

/** What a lock file says (restic design.rst, Locks). */
export interface LockFile {
  timeMs: number;
  exclusive: boolean;
  hostname: string;
  username: string;
  pid: number;
  uid: number;
  gid: number;
}

export interface StoredLock extends LockFile {
  id: LockId;
}

/** A lock that was not refreshed for so long is dead, whatever its owner does. */
export const staleAfterMs = 30 * 60_000;

/** JSON of a new lock of this owner. */
export function encodeLockFile(owner: LockOwner, lock: { timeMs: number; exclusive: boolean }): string {
  return goJson({
    time: formatGoTime(BigInt(Math.floor(lock.timeMs)) * 1_000_000n),
    exclusive: lock.exclusive,
    hostname: owner.hostname,
    username: owner.username,
    pid: owner.pid,
    ...(owner.uid === 0 ? {} : { uid: owner.uid }),
    ...(owner.gid === 0 ? {} : { gid: owner.gid }),
  });
}

/** @throws RepositoryError 'repository.damaged' */
export function decodeLockFile(json: Uint8Array): LockFile {
  const lock = parseJson(json, 'a lock file');
  if (!isRecord(lock) || typeof lock.exclusive !== 'boolean' || !Number.isInteger(lock.pid)) {
    throw new RepositoryError('repository.damaged', 'a lock file lacks what a lock must say', {
      hint: 'When no backup is running on any machine, remove it with `holdfast unlock --remove-all`.',
    });
  }
  return {
    timeMs: Number(parseGoTime(lock.time).timeNs / 1_000_000n),
    exclusive: lock.exclusive,
    hostname: String(lock.hostname ?? ''),
    username: String(lock.username ?? ''),
    pid: Number(lock.pid),
    uid: Number(lock.uid ?? 0),
    gid: Number(lock.gid ?? 0),
  };
}

/** Whether nobody holds this lock any more: too old, or its process on this very host is gone. */
export function isStale(lock: LockFile, observer: { owner: LockOwner; nowMs: number }): boolean {
  if (observer.nowMs - lock.timeMs > staleAfterMs) return true;
  return lock.hostname === observer.owner.hostname && !observer.owner.isProcessAlive(lock.pid);
}

/** Who holds it, since when: `exclusively by anna on db1 (process 4711), last seen 2 minutes ago`. */
export function describeLock(lock: LockFile, nowMs: number): string {
  const who = lock.username === '' ? '' : ` by ${lock.username}`;
  const seconds = Math.max(0, Math.round((nowMs - lock.timeMs) / 1000));
  const age = seconds < 120 ? `${seconds} seconds` : `${Math.round(seconds / 60)} minutes`;
  return `${lock.exclusive ? 'exclusively' : 'not exclusively'}${who} on ${lock.hostname} (process ${lock.pid}), last seen ${age} ago`;
}
