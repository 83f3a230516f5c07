import type { Storage } from '#storage';
import { type RestoreFilterOptions, restoreFilter } from '../restore-filter.ts';
import type { Inventory, Side } from './inventory.ts';
import { locksPrefix, settledIndex } from './repository-order.ts';

/** Where deleted files are kept for a while, on the target itself; never replicated. */
const trashRoot = '.holdfast-trash/';

export interface InventoryOptions extends Pick<RestoreFilterOptions, 'includes' | 'excludes'> {
  from: Storage;
  to: Storage;
  isRepository: boolean;
  isWithVersions: boolean;
  /** Where this run puts what it deletes. */
  trash: string | undefined;
  onListed(side: Side): void;
  signal: AbortSignal | undefined;
}

/** Lists both sides at once. */
export async function takeInventory(inventory: Inventory, options: InventoryOptions): Promise<void> {
  const isWanted = wantedNames(options);
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  const list = async (side: Side): Promise<void> => {
    try {
      for await (const info of listing({ ...options, signal }, side)) {
        signal.throwIfAborted();
        if (!isWanted(info.name)) continue;
        inventory.add(side, info);
        options.onListed(side);
      }
    } catch (error) {
      stop.abort(error);
      throw error;
    }
  };
  const outcomes = await Promise.allSettled([list('from'), list('to')]);
  options.signal?.throwIfAborted();
  stop.signal.throwIfAborted();
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

/**
 * A repository at work is listed from its end: whatever is listed finds all that it refers to listed after it.
 * (A backup writes packs, then an index, then a snapshot.)
 */
async function* listing({ from, to, isRepository, isWithVersions, signal }: InventoryOptions, side: Side) {
  const storage = side === 'from' ? from : to;
  if (isWithVersions) {
    yield* storage.versions!.list('', { signal });
  } else if (side === 'to' || !isRepository) {
    yield* storage.list('', { signal });
  } else {
    yield* storage.list('snapshots/', { signal });
    yield* await settledIndex(storage, { signal });
    for await (const info of storage.list('', { signal }))
      if (!/^(?:snapshots|index)\//.test(info.name)) yield info;
  }
}

function wantedNames({
  isRepository,
  trash,
  includes,
  excludes,
}: InventoryOptions): (name: string) => boolean {
  const unwanted = [trashRoot, ...(trash ? [trash] : []), ...(isRepository ? [locksPrefix] : [])];
  const hasFilter = (includes?.length ?? 0) + (excludes?.length ?? 0) > 0;
  const filter = hasFilter ? restoreFilter({ includes, excludes }) : undefined;
  return (name) =>
    !unwanted.some((prefix) => name.startsWith(prefix)) && (!filter || filter(`/${name}`, 'file') === 'yes');
}
