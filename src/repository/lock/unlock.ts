import type { Clock } from '#base';
import { StorageError } from '#storage';
import { RepositoryError } from '../errors.ts';
import type { LockId } from '../format/ids.ts';
import type { UnpackedFiles } from '../unpacked.ts';
import { loadLock } from './lock-conflicts.ts';
import { isStale, type StoredLock } from './lock-file.ts';
import type { LockOwner } from './owner.ts';

/** All locks that can be read. */
export async function listLocks(files: UnpackedFiles): Promise<StoredLock[]> {
  const locks: StoredLock[] = [];
  for await (const { id } of files.list('locks')) {
    const lock = await loadLock(files, id).catch(ignoreUnreadable);
    if (lock) locks.push(lock);
  }
  return locks;
}

/** Deletes locks that nobody holds any more and returns them. Unreadable ones stay: see `removeAllLocks`. */
export async function removeStaleLocks(
  files: UnpackedFiles,
  observer: { clock: Clock; owner: LockOwner },
): Promise<StoredLock[]> {
  const nowMs = observer.clock.nowMs();
  const stale = (await listLocks(files)).filter((lock) => isStale(lock, { owner: observer.owner, nowMs }));
  for (const { id } of stale) await files.delete('locks', id);
  return stale;
}

/** Deletes every lock, whoever holds it, and returns their number. For a person who knows that nobody works. */
export async function removeAllLocks(files: UnpackedFiles): Promise<number> {
  const ids: LockId[] = [];
  for await (const { id } of files.list('locks')) ids.push(id);
  for (const id of ids) await files.delete('locks', id);
  return ids.length;
}

function ignoreUnreadable(error: unknown): undefined {
  const isGone = error instanceof StorageError && error.code === 'storage.not-found';
  if (!isGone && !(error instanceof RepositoryError)) throw error;
}
