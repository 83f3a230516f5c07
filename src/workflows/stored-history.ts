import type { Repository, StoredSnapshot } from '#repository';
import { compareTimes, describeTime, type MongoRestoreOptions, type OplogPlace, SourceError } from '#sources';
import { noDumpIn } from './dump-archive.ts';
import { deploymentOf, isSlice, type LineMember, membersOf, slicesFrom } from './oplog-line.ts';
import { findDump, findSlice, type StoredDump } from './stored-dump.ts';

/** A slice, for a restore. */
type OplogPart = NonNullable<MongoRestoreOptions['slices']>[number];
type Time = Omit<OplogPlace, 'term'>;

/** A full backup, and the slices by which it is brought to a time. */
export interface StoredHistory {
  dump: StoredDump;
  slices: OplogPart[];
  /** Undefined: the backup as it is. */
  until: Time | undefined;
}

export interface HistoryRequest {
  repository: Repository;
  /** A full backup, or a slice: then the newest full backup before it is taken. */
  snapshot: StoredSnapshot;
  /** The time to restore to; of a slice its end by default. */
  until?: Time | undefined;
  signal: AbortSignal;
}

/** Finds what a restore needs. The caller holds a lock. @throws SourceError 'sources.absent' | 'sources.oplog-gap' */
export async function findHistory(request: HistoryRequest): Promise<StoredHistory> {
  const { repository, snapshot, until, signal } = request;
  if (!isSlice(snapshot)) {
    const dump = await findDump(repository, snapshot, signal);
    if (dump) return { dump, until, slices: until ? await slicesOf(request, dump) : [] };
    throw noDumpIn(snapshot);
  }
  const members = membersOf(await repository.snapshots({ signal }), deploymentOf(snapshot));
  const own = members.slices.find((one) => one.snapshot.id === snapshot.id)!;
  const wished = until ?? { t: own.to.t, i: own.to.i };
  for (const full of members.fulls.toReversed()) {
    const isBefore = compareTimes(full.to, wished) <= 0;
    if (!isBefore || !slicesFrom(full.to, members.slices).includes(own)) continue;
    const dump = await findDump(repository, full.snapshot, signal);
    // A dump that ended after the time cannot be brought back to it.
    if (!dump?.manifest.oplog || compareTimes(dump.manifest.oplog.consistentAt, wished) > 0) continue;
    return { dump, until: wished, slices: await slicesOf({ ...request, until: wished }, dump) };
  }
  throw new SourceError(
    'sources.oplog-gap',
    `no full backup leads to ${describeTime(wished)} by slices without a gap`,
    {
      hint: 'Choose a full backup from `holdfast snapshots`, and a time that it reaches.',
    },
  );
}

async function slicesOf(
  { repository, snapshot, until, signal }: HistoryRequest,
  { manifest }: StoredDump,
): Promise<OplogPart[]> {
  const last = manifest.oplog?.last;
  if (!last) return [];
  const { slices } = membersOf(await repository.snapshots({ signal }), deploymentOf(snapshot));
  const needed = slicesFrom(last, slices).filter(({ from }) => !until || compareTimes(from!, until) <= 0);
  const parts: OplogPart[] = [];
  for (const member of needed) parts.push(await partOf(repository, member, signal));
  return parts;
}

async function partOf(
  repository: Repository,
  { snapshot }: LineMember,
  signal: AbortSignal,
): Promise<OplogPart> {
  const slice = (await findSlice(repository, snapshot, signal))!;
  const { first, last, count, bytes, checksum } = slice.manifest;
  return { range: { first, last, count, bytes, checksum }, open: () => slice.open('dump/oplog.bson') };
}
