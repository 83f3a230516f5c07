import { forEachAtOnce } from '../for-each-at-once.ts';
import type { SnapshotId } from '../format/ids.ts';
import type { Repository } from '../repository.ts';
import type { StoredSnapshot } from '../snapshot/snapshot.ts';

export interface ForgetOptions {
  /** Called with each snapshot whose file is gone. */
  onForgotten?: (id: SnapshotId) => void;
  signal?: AbortSignal | undefined;
}

/** Picks what goes from all snapshots as they are under the lock. */
export type ChooseSnapshots = (
  snapshots: StoredSnapshot[],
  signal: AbortSignal,
) => readonly SnapshotId[] | Promise<readonly SnapshotId[]>;

/** How many files are deleted at once where the storage allows more. */
const deletersMax = 16;

/**
 * Deletes snapshot files under an exclusive lock; what they alone used is freed by the next prune. What is forgotten
 * already is passed over, so an interrupted run is simply repeated.
 * @param choose the ids, or what picks them from all snapshots as they are under the lock
 * @returns the ids, in the order in which they were given
 */
export async function forgetSnapshots(
  repository: Repository,
  choose: readonly SnapshotId[] | ChooseSnapshots,
  options: ForgetOptions = {},
): Promise<readonly SnapshotId[]> {
  await using lock = await repository.lock({ exclusive: true, signal: options.signal });
  const { signal } = lock;
  const ids =
    typeof choose === 'function' ? await choose(await repository.snapshots({ signal }), signal) : choose;
  const atOnce = Math.min(repository.storage.capabilities.concurrency, deletersMax);
  await forEachAtOnce(ids, atOnce, async (id) => {
    await lock.assertHeld();
    await repository.unpacked.delete('snapshots', id, { signal });
    options.onForgotten?.(id);
  });
  return ids;
}
