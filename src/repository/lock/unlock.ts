import { StorageError } from '#storage';
import { RepositoryError } from '../errors.ts';
import type { LockId } from '../format/ids.ts';
import type { Repository } from '../repository.ts';
import { loadLock } from './lock-conflicts.ts';
import { isStale, type StoredLock } from './lock-file.ts';

type Locks = Pick<Repository, 'unpacked' | 'clock' | 'owner'>;

/** All locks that can be read. */
export async function listLocks({ unpacked }: Pick<Locks, 'unpacked'>): Promise<StoredLock[]> {
  const locks: StoredLock[] = [];
  for await (const { id } of unpacked.list('locks')) {
    const lock = await loadLock(unpacked, id).catch(ignoreUnreadable);
    if (lock) locks.push(lock);
  }
  return locks;
}

/** Deletes locks that nobody holds any more and returns them. Unreadable ones stay: see `removeAllLocks`. */
export async function removeStaleLocks(repository: Locks): Promise<StoredLock[]> {
  const { unpacked, clock, owner } = repository;
  const observer = { owner, nowMs: clock.nowMs() };
  const stale = (await listLocks(repository)).filter((lock) => isStale(lock, observer));
  for (const { id } of stale) await unpacked.delete('locks', id);
  return stale;
}

/** Deletes every lock, whoever holds it, and returns their number. For a person who knows that nobody works. */
export async function removeAllLocks({ unpacked }: Pick<Locks, 'unpacked'>): Promise<number> {
  const ids: LockId[] = [];
  for await (const { id } of unpacked.list('locks')) ids.push(id);
  for (const id of ids) await unpacked.delete('locks', id);
  return ids.length;
}

function ignoreUnreadable(error: unknown): undefined {
  const isGone = error instanceof StorageError && error.code === 'storage.not-found';
  if (!isGone && !(error instanceof RepositoryError)) throw error;
}
