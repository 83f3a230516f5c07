import { RepositoryError } from '../errors.ts';
import { byTime } from './load-snapshots.ts';
import { type StoredSnapshot, stableIdOf, tagValue } from './snapshot.ts';

/** Which snapshots are meant. An absent or empty list allows everything. */
export interface SnapshotFilter {
  /** Any of these. */
  hostnames?: readonly string[];
  /** Any of these lists of tags, of which all must be there. An empty tag means "has no tags". */
  tags?: readonly (readonly string[])[];
  /** Any of these names (the tag `name=…`). */
  names?: readonly string[];
  /** All of these paths. */
  paths?: readonly string[];
  /** Taken at this instant or before. */
  untilNs?: bigint;
}

export function matchesFilter(snapshot: StoredSnapshot, filter: SnapshotFilter): boolean {
  const { hostnames = [], tags = [], names = [], paths = [], untilNs } = filter;
  const name = tagValue(snapshot.tags, 'name');
  return (
    (hostnames.length === 0 || hostnames.includes(snapshot.hostname)) &&
    (tags.length === 0 || tags.some((list) => hasTags(snapshot, list))) &&
    (names.length === 0 || (name !== undefined && names.includes(name))) &&
    paths.every((path) => snapshot.paths.includes(path)) &&
    (untilNs === undefined || snapshot.timeNs <= untilNs)
  );
}

function hasTags({ tags }: StoredSnapshot, wanted: readonly string[]): boolean {
  return wanted.every((tag) => tags.includes(tag) || (tag === '' && tags.length === 0));
}

/**
 * The one snapshot that a person means by `latest`, an id, or the beginning of one. An id that the snapshot had
 * before its tags were changed counts too. The filter narrows `latest` only, as in restic.
 * @throws RepositoryError 'repository.snapshot-not-found', 'repository.snapshot-ambiguous'
 */
export function findSnapshot(
  snapshots: readonly StoredSnapshot[],
  text: string,
  filter: SnapshotFilter = {},
): StoredSnapshot {
  if (text === 'latest') return findLatest(snapshots, filter);
  const wanted = text.toLowerCase();
  const isId = /^[0-9a-f]+$/.test(wanted);
  const current = isId ? snapshots.filter(({ id }) => id.startsWith(wanted)) : [];
  const found = current.length > 0 ? current : snapshots.filter((one) => isId && isNowCalled(one, wanted));
  if (found.length === 1) return found[0]!;
  if (found.length > 1) throw ambiguous(text, found);
  throw notFound(`no snapshot has an id that begins with '${text}'`);
}

function isNowCalled(snapshot: StoredSnapshot, formerId: string): boolean {
  return stableIdOf(snapshot).startsWith(formerId);
}

function findLatest(snapshots: readonly StoredSnapshot[], filter: SnapshotFilter): StoredSnapshot {
  const latest = snapshots
    .filter((snapshot) => matchesFilter(snapshot, filter) && isMeant(snapshot, filter))
    .sort(byTime)
    .at(-1);
  if (latest) return latest;
  throw notFound(
    snapshots.length === 0 ? 'the repository holds no snapshot' : 'no snapshot matches the filter',
  );
}

/** Snapshots of Holdfast's own (tags `holdfast-log`, `holdfast-safety`) are nobody's latest unless they are asked for. */
function isMeant({ tags }: StoredSnapshot, filter: SnapshotFilter): boolean {
  const own = tags.filter((tag) => tag.startsWith('holdfast-'));
  return own.length === 0 || (filter.tags ?? []).some((list) => list.some((tag) => own.includes(tag)));
}

/**
 * The snapshot whose files a new one is compared with: the newest of the same host and the same set of paths,
 * as restic groups them. One from the future (a clock was wrong) is no parent.
 */
export function findParent(
  snapshots: readonly StoredSnapshot[],
  of: { hostname: string; paths: readonly string[]; timeNs: bigint },
): StoredSnapshot | undefined {
  const paths = pathSet(of.paths);
  return snapshots
    .filter((one) => one.hostname === of.hostname && one.timeNs <= of.timeNs && pathSet(one.paths) === paths)
    .sort(byTime)
    .at(-1);
}

function pathSet(paths: readonly string[]): string {
  return JSON.stringify([...new Set(paths)].sort());
}

function notFound(message: string): RepositoryError {
  return new RepositoryError('repository.snapshot-not-found', message, {
    hint: 'List what is there with `holdfast snapshots`.',
  });
}

function ambiguous(text: string, found: readonly StoredSnapshot[]): RepositoryError {
  const ids = found.slice(0, 5).map(({ id }) => id.slice(0, 16));
  return new RepositoryError(
    'repository.snapshot-ambiguous',
    `'${text}' begins the ids of ${found.length} snapshots`,
    {
      hint: `Give more of the id: ${ids.join(', ')}${found.length > ids.length ? ' …' : ''}.`,
    },
  );
}
