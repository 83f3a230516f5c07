import type { Clock } from '#base';
import { type ReadOptions, StorageError } from '#storage';
import { RepositoryError } from '../errors.ts';
import type { LockId } from '../format/ids.ts';
import type { UnpackedFiles } from '../unpacked.ts';
import { decodeLockFile, describeLock, isStale, type StoredLock } from './lock-file.ts';
import type { LockOwner } from './owner.ts';

/** Waits before a lock file that could not be read is tried again. */
const retryPausesMs = [5_000, 10_000, 20_000];
/** A lock that vanished between listing and reading was refreshed under another name, which a new listing shows. */
const vanishedPauseMs = 200;

export interface ConflictCheck {
  exclusive: boolean;
  /** Locks that are ours. */
  own: ReadonlySet<LockId>;
  clock: Clock;
  owner: LockOwner;
  signal?: AbortSignal | undefined;
}

/**
 * Looks for a lock that forbids ours: any, when ours or theirs is exclusive. Stale locks count too.
 * @throws RepositoryError 'repository.locked'; 'repository.damaged' for a lock that stays unreadable
 */
export async function assertNoConflict(files: UnpackedFiles, check: ConflictCheck): Promise<void> {
  const { clock, signal } = check;
  const harmless = new Set(check.own);
  for (let attempt = 0; ; attempt++) {
    const failure = await lookOnce(files, harmless, check);
    if (failure === undefined) return;
    const pauseMs = retryPausesMs[attempt];
    if (pauseMs === undefined) throw unreadable(failure);
    await clock.sleep(isVanished(failure) ? vanishedPauseMs : pauseMs, signal ? { signal } : {});
  }
}

/** Reads all locks that are not known to be harmless; returns what kept it from reading one. */
async function lookOnce(files: UnpackedFiles, harmless: Set<LockId>, check: ConflictCheck): Promise<unknown> {
  const { clock, owner, signal } = check;
  const options = signal ? { signal } : {};
  let failure: unknown;
  for await (const { id, sizeBytes } of files.list('locks', options)) {
    // Storages that write in place leave empty files when a client dies.
    if (harmless.has(id) || sizeBytes === 0) continue;
    const lock = await loadLock(files, id, options).catch((error: unknown) => {
      failure = error;
    });
    if (!lock) continue;
    if (check.exclusive || lock.exclusive) throw conflict(lock, { owner, nowMs: clock.nowMs() });
    harmless.add(id);
  }
  return failure;
}

export async function loadLock(files: UnpackedFiles, id: LockId, options?: ReadOptions): Promise<StoredLock> {
  return { ...decodeLockFile(await files.load('locks', id, options)), id };
}

function isVanished(error: unknown): boolean {
  return error instanceof StorageError && error.code === 'storage.not-found';
}

function conflict(lock: StoredLock, observer: { owner: LockOwner; nowMs: number }): RepositoryError {
  const holder = describeLock(lock, observer.nowMs);
  return new RepositoryError('repository.locked', `the repository is locked ${holder}`, {
    hint: isStale(lock, observer)
      ? 'Its owner is gone. Remove the lock with `holdfast unlock`, then try again.'
      : 'Wait until that work is done, or pass --retry-lock 10m. If its process is gone, run `holdfast unlock`.',
    context: { lock: lock.id, hostname: lock.hostname, pid: lock.pid, exclusive: lock.exclusive },
  });
}

function unreadable(cause: unknown): unknown {
  if (!(cause instanceof RepositoryError)) return cause;
  return new RepositoryError('repository.damaged', `a lock file cannot be read: ${cause.message}`, {
    hint: 'When no program is using the repository on any machine, run `holdfast unlock --remove-all`.',
    cause,
  });
}
