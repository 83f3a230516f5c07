import { keepIfHeld, type RepositoryLock } from '../lock/lock.ts';
import type { Repository } from '../repository.ts';
import { loadSnapshot, loadSnapshots } from './load-snapshots.ts';
import { type StoredSnapshot, stableIdOf, withTags } from './snapshot.ts';
import { encodeSnapshot } from './snapshot-json.ts';

/** All tags anew, or some more and some fewer (what is in both lists goes). */
export type TagChange =
  | { set: readonly string[] }
  | { add?: readonly string[] | undefined; remove?: readonly string[] | undefined };

export interface TaggedSnapshot {
  before: StoredSnapshot;
  after: StoredSnapshot;
}

/**
 * Changes tags, under an exclusive lock: each snapshot is stored anew, with its first id as `original`, and only then
 * the old file is deleted. Interrupted in between, both are there; a second run goes on with the new one.
 * @returns the snapshots whose tags were others; one that is gone meanwhile is not among them
 */
export async function changeTags(
  repository: Repository,
  snapshots: readonly StoredSnapshot[],
  change: TagChange,
  options: { signal?: AbortSignal } = {},
): Promise<TaggedSnapshot[]> {
  await using lock = await repository.lock({ exclusive: true, ...options });
  const { unpacked } = repository;
  // One that is damaged is none of our business: it keeps its tags.
  const present = await loadSnapshots(unpacked, { signal: lock.signal, onDamaged: () => {} });
  const ids = new Set(present.map(({ id }) => id));
  const changed: TaggedSnapshot[] = [];
  for (const before of snapshots) {
    if (!ids.has(before.id)) continue;
    const tags = changedTags(before.tags, change);
    if (isSameList(tags, before.tags)) continue;
    await lock.assertHeld();
    const twin = present.find((one) => isTwin(one, before) && isSameList(one.tags, tags));
    const after = twin ?? (await store(repository, lock, before, tags));
    await unpacked.delete('snapshots', before.id, { signal: lock.signal });
    changed.push({ before, after });
  }
  return changed;
}

function changedTags(tags: readonly string[], change: TagChange): string[] {
  if ('set' in change) return [...new Set(change.set)];
  const { add = [], remove = [] } = change;
  return [...new Set([...tags, ...add])].filter((tag) => !remove.includes(tag));
}

async function store(
  { unpacked }: Repository,
  lock: RepositoryLock,
  before: StoredSnapshot,
  tags: readonly string[],
): Promise<StoredSnapshot> {
  const id = await unpacked.save('snapshots', encodeSnapshot(withTags(before, tags)));
  await keepIfHeld(lock, () => unpacked.delete('snapshots', id));
  return loadSnapshot(unpacked, id);
}

/** Another form of the same snapshot: what an interrupted change has left. */
function isTwin(one: StoredSnapshot, other: StoredSnapshot): boolean {
  return one.id !== other.id && stableIdOf(one) === stableIdOf(other) && one.tree === other.tree;
}

function isSameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i]);
}
