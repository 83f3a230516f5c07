import type { Clock } from '#base';
import { RepositoryError } from '../errors.ts';
import type { LockId } from '../format/ids.ts';
import type { UnpackedFiles } from '../unpacked.ts';
import { assertNoConflict } from './lock-conflicts.ts';
import { encodeLockFile, staleAfterMs } from './lock-file.ts';
import type { LockOwner } from './owner.ts';

export interface LockOptions {
  /** Nobody else may hold a lock: for check, forget, prune, removing keys, tags, repair. */
  exclusive: boolean;
  clock: Clock;
  owner: LockOwner;
  /** How long to wait while another holds a conflicting lock; not at all by default. */
  retryForMs?: number;
  /** Ends the waiting, and later the work. */
  signal?: AbortSignal;
  /** Called before the first wait. */
  onWait?: (conflict: RepositoryError) => void;
  /** A refresh failed, or the removal; the work goes on. */
  onProblem?: (error: unknown) => void;
  /** Holds back all other traffic to the storage until disposed, while it is open whether the lock is still ours. */
  freeze?: () => Disposable;
}

/** A lock that is held and kept fresh until it is released. */
export interface RepositoryLock extends AsyncDisposable {
  /** Aborted when the lock is lost ('repository.lock-lost'), or by the signal given at first. All work must stop then. */
  readonly signal: AbortSignal;
  /**
   * Makes sure that the lock is still ours. A machine that slept wakes in the middle of a call, before anything has
   * looked at the age of the lock: so this is asked right before each step that relies on the lock, and once more
   * before what was done is reported. Asks the storage only when the lock is old.
   * @throws RepositoryError 'repository.lock-lost', or the reason of the signal
   */
  assertHeld(): Promise<void>;
  /** Removes the lock file. Never rejects; may be called twice. */
  release(): Promise<void>;
}

/** Times of restic's lock protocol (restic-format reference, Locks). */
const recheckAfterMs = 200;
const refreshEveryMs = 5 * 60_000;
/** A little before others take the lock for stale, since clocks differ. */
const giveUpAfterMs = staleAfterMs - 1.5 * refreshEveryMs;
/** Timers stand still while a machine sleeps, so the age of the lock is looked at often. */
const pollEveryMs = 1000;
/** For the last refresh, and for removing the lock of cancelled work. */
const graceMs = 60_000;
const retryPauseMs = 5_000;
const retryPauseMsMax = 60_000;

/**
 * Acquires a lock, compatible with restic's.
 * The mechanism is advisory: a storage cannot compare and set, so a lock keeps careful programs apart, no more.
 * @throws RepositoryError 'repository.locked'; 'repository.damaged' for an unreadable lock of another
 */
export async function acquireLock(files: UnpackedFiles, options: LockOptions): Promise<RepositoryLock> {
  const { clock, signal, retryForMs = 0 } = options;
  const deadlineMs = clock.monotonicMs() + retryForMs;
  for (
    let pauseMs = retryPauseMs, attempt = 1;
    ;
    pauseMs = Math.min(pauseMs * 2, retryPauseMsMax), attempt++
  ) {
    try {
      return await HeldLock.acquire(files, options);
    } catch (error) {
      const leftMs = deadlineMs - clock.monotonicMs();
      if (!(error instanceof RepositoryError && error.code === 'repository.locked') || leftMs <= 0)
        throw error;
      if (attempt === 1) options.onWait?.(error);
      await clock.sleep(Math.min(pauseMs, leftMs), withSignal(signal));
    }
  }
}

/**
 * Makes sure that the lock is still ours after something was written under it; otherwise takes that back: it came too
 * late, and what it names may be gone already.
 */
export async function keepIfHeld(
  lock: Pick<RepositoryLock, 'assertHeld'>,
  takeBack: () => Promise<void>,
): Promise<void> {
  try {
    await lock.assertHeld();
  } catch (error) {
    // What is told is that the lock was lost; what cannot be taken back is found by a check.
    await takeBack().catch(() => {});
    throw error;
  }
}

class HeldLock implements RepositoryLock {
  readonly signal: AbortSignal;
  readonly #files: UnpackedFiles;
  readonly #options: LockOptions;
  readonly #lost = new AbortController();
  readonly #ended = new AbortController();
  /** Every lock file of ours that may exist, also one whose upload failed half-way. */
  readonly #written = new Set<LockId>();
  /** The lock file that counts, and when its time was taken. */
  #current: Written | undefined;
  #keeper: Promise<void> | undefined;
  /** Ends the ordinary refresh that may be under way. */
  #attempt = new AbortController();
  /** The last try that is under way. */
  #rescue: Promise<boolean> | undefined;

  /** Locks, or fails and leaves nothing behind. */
  static async acquire(files: UnpackedFiles, options: LockOptions): Promise<HeldLock> {
    const lock = new HeldLock(files, options);
    try {
      await lock.#assertNoConflict();
      lock.#current = await lock.#write(options.signal);
      await options.clock.sleep(recheckAfterMs, withSignal(options.signal));
      await lock.#assertNoConflict();
    } catch (error) {
      await lock.release();
      throw error;
    }
    lock.#keeper = lock.#keepFresh();
    return lock;
  }

  private constructor(files: UnpackedFiles, options: LockOptions) {
    this.#files = files;
    this.#options = options;
    this.signal = AbortSignal.any([this.#lost.signal, ...(options.signal ? [options.signal] : [])]);
  }

  async assertHeld(): Promise<void> {
    this.signal.throwIfAborted();
    if (this.#ageMs() >= giveUpAfterMs) await this.#rescued();
    this.signal.throwIfAborted();
  }

  async release(): Promise<void> {
    this.#ended.abort();
    await this.#keeper;
    try {
      await this.#withinGrace((signal) => this.#deleteAllBut(undefined, signal));
    } catch (error) {
      this.#options.onProblem?.(error);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  /** Refreshes until the end, and tells when that failed for too long. */
  async #keepFresh(): Promise<void> {
    let dueAtAgeMs = refreshEveryMs;
    while (await this.#pause(pollEveryMs)) {
      const ageMs = this.#ageMs();
      if (ageMs >= giveUpAfterMs) {
        if (!(await this.#rescued())) return;
        dueAtAgeMs = refreshEveryMs;
      } else if (ageMs >= dueAtAgeMs) {
        dueAtAgeMs += refreshEveryMs;
        this.#attempt.abort();
        this.#attempt = new AbortController();
        // Not awaited: a hanging storage must not keep the loop from seeing how old the lock is.
        this.#refresh(AbortSignal.any([this.#attempt.signal, this.#ended.signal])).catch((error: unknown) => {
          if (!this.#ended.signal.aborted) this.#options.onProblem?.(error);
        });
      } else if (ageMs < refreshEveryMs) {
        dueAtAgeMs = refreshEveryMs;
      }
    }
  }

  /** Writes a new lock file, then removes the one before. What took too long proves nothing: see `#refreshAtLast`. */
  async #refresh(signal: AbortSignal): Promise<void> {
    const next = await this.#write(signal);
    if (signal.aborted || this.#ageMs() >= giveUpAfterMs) return this.#delete(next.id);
    this.#current = next;
    await this.#deleteAllBut(next.id, signal);
  }

  /** Whether the last try succeeded; several may wait for the same one. */
  #rescued(): Promise<boolean> {
    this.#attempt.abort();
    this.#rescue ??= this.#refreshAtLast().finally(() => {
      this.#rescue = undefined;
    });
    return this.#rescue;
  }

  /**
   * The last try for a lock that others may take for stale. It is still ours when its file was there before and
   * after a new one was written: who removes a stale lock removes the file first.
   */
  async #refreshAtLast(): Promise<boolean> {
    using _frozen = this.#options.freeze?.();
    try {
      await this.#withinGrace(async (signal) => {
        await this.#assertExists(signal);
        const next = await this.#write(signal);
        try {
          await this.#options.clock.sleep(recheckAfterMs, { signal });
          await this.#assertExists(signal);
        } catch (error) {
          await this.#delete(next.id);
          throw error;
        }
        this.#current = next;
        await this.#deleteAllBut(next.id, signal);
      });
      return true;
    } catch (error) {
      this.#lost.abort(lockLost(error));
      return false;
    }
  }

  async #assertExists(signal: AbortSignal): Promise<void> {
    for await (const { id } of this.#files.list('locks', { signal })) if (id === this.#current?.id) return;
    throw lockLost();
  }

  async #assertNoConflict(): Promise<void> {
    const { exclusive, clock, owner, signal } = this.#options;
    await assertNoConflict(this.#files, { exclusive, clock, owner, signal, own: this.#written });
  }

  async #write(signal: AbortSignal | undefined): Promise<Written> {
    const { owner, exclusive, clock } = this.#options;
    const at = { wallMs: clock.nowMs(), monotonicMs: clock.monotonicMs() };
    const file = this.#files.seal('locks', encodeLockFile(owner, { timeMs: at.wallMs, exclusive }));
    this.#written.add(file.id);
    await this.#files.store(file, withSignal(signal));
    return { id: file.id, ...at };
  }

  async #deleteAllBut(keep: LockId | undefined, signal: AbortSignal): Promise<void> {
    for (const id of this.#written) if (id !== keep) await this.#delete(id, signal);
  }

  async #delete(id: LockId, signal?: AbortSignal): Promise<void> {
    await this.#files.delete('locks', id, withSignal(signal));
    this.#written.delete(id);
  }

  /** By the clock that ran further: the wall clock may be set back, the other may stand still in standby. */
  #ageMs(): number {
    const { clock } = this.#options;
    const { wallMs, monotonicMs } = this.#current!;
    return Math.max(clock.nowMs() - wallMs, clock.monotonicMs() - monotonicMs);
  }

  /** Returns false when the lock was released meanwhile. */
  async #pause(durationMs: number): Promise<boolean> {
    const { signal } = this.#ended;
    await this.#options.clock.sleep(durationMs, { signal, background: true }).catch(() => {});
    return !signal.aborted;
  }

  async #withinGrace(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const expired = new AbortController();
    const done = new AbortController();
    const timer = this.#options.clock.sleep(graceMs, { signal: done.signal, background: true }).then(() => {
      expired.abort();
      throw new RepositoryError('repository.lock-lost', 'the storage did not answer in time', {
        hint: waitHint,
      });
    });
    try {
      await Promise.race([work(expired.signal), timer]);
    } finally {
      done.abort();
    }
  }
}

interface Written {
  id: LockId;
  wallMs: number;
  monotonicMs: number;
}

const waitHint =
  'Look at the connection to the storage, then start the work again: what was stored is found.';

function lockLost(cause?: unknown): RepositoryError {
  if (cause instanceof RepositoryError && cause.code === 'repository.lock-lost') return cause;
  const message = cause ? 'the lock could not be refreshed in time' : 'the lock was removed by somebody else';
  return new RepositoryError('repository.lock-lost', message, { hint: waitHint, cause });
}

function withSignal(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal ? { signal } : {};
}
