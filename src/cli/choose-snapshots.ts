import { findSnapshot, matchesFilter, type Repository, type StoredSnapshot } from '#repository';
import { filterOf, type SnapshotOptions } from './snapshot-options.ts';

/** The snapshots of these ids; without any, all that the options allow, oldest first. */
export async function chooseSnapshots(
  repository: Repository,
  ids: readonly string[],
  options: SnapshotOptions,
): Promise<StoredSnapshot[]> {
  const filter = filterOf(options);
  const all = await repository.snapshots();
  if (ids.length === 0) return all.filter((snapshot) => matchesFilter(snapshot, filter));
  return ids.map((id) => findSnapshot(all, id, filter));
}
