import type { ListedCollection } from './list-namespaces.ts';

/** What changed between two listings, one before and one after a dump. */
export interface ListingChange {
  namespace: string;
  message: string;
}

/**
 * Names every collection that was dropped, renamed, made anew or changed while it was read. `isAtTime`: data was read
 * as of a time after the first listing, so what came later is not missing.
 */
export function compareListings(
  before: readonly ListedCollection[],
  after: readonly ListedCollection[],
  { isAtTime }: { isAtTime: boolean },
): ListingChange[] {
  const names = new Map(after.map((one) => [namespaceOf(one), one]));
  const uuids = new Map(after.flatMap((one) => (one.uuid ? [[one.uuid, namespaceOf(one)]] : [])));
  const changes: ListingChange[] = [];
  for (const one of before) {
    const namespace = namespaceOf(one);
    const now = names.get(namespace);
    const message = now ? changeOf(one, now) : absenceOf(one, uuids);
    if (message) changes.push({ namespace, message });
  }
  if (isAtTime) return changes;
  const known = new Set(before.map(namespaceOf));
  for (const namespace of names.keys())
    if (!known.has(namespace))
      changes.push({ namespace, message: 'it appeared while the dump ran and is not in it' });
  return changes;
}

function absenceOf({ uuid }: ListedCollection, uuids: ReadonlyMap<string, string>): string {
  const renamed = uuid && uuids.get(uuid);
  return renamed
    ? `it was renamed to ${renamed} while the dump ran`
    : 'it was dropped or renamed while the dump ran; what the dump has of it may not be whole';
}

function changeOf(before: ListedCollection, now: ListedCollection): string | undefined {
  if (before.uuid !== now.uuid)
    return 'it was dropped and made anew while the dump ran; the dump may have a mixture';
  if (before.type !== now.type) return `it was a ${before.type} and became a ${now.type} while the dump ran`;
  if (!isSame([before.options], [now.options]))
    return 'its options changed while the dump ran; the dump has the old ones';
  if (!isSame(before.indexes, now.indexes))
    return 'its indexes changed while the dump ran; the dump has the old ones';
  return undefined;
}

function isSame(
  some: readonly (Uint8Array | undefined)[],
  others: readonly (Uint8Array | undefined)[],
): boolean {
  const empty = Buffer.alloc(0);
  return (
    some.length === others.length &&
    some.every((one, i) => Buffer.compare(one ?? empty, others[i] ?? empty) === 0)
  );
}

function namespaceOf({ database, name }: ListedCollection): string {
  return `${database}.${name}`;
}
