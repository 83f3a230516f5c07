import type { Repository, StoredSnapshot } from '#repository';
import { mongodumpArchive, SourceError } from '#sources';
import { findDump } from './stored-dump.ts';

/**
 * The dump of a snapshot as the archive that `mongodump --archive` writes. The caller holds a lock.
 * @param onLeftOut told of collections that the backup had lost
 * @throws SourceError 'sources.absent' when the snapshot has no dump
 */
export async function* dumpMongoArchive(
  repository: Repository,
  snapshot: StoredSnapshot,
  { onLeftOut, signal }: { onLeftOut(namespace: string): void; signal?: AbortSignal | undefined },
): AsyncGenerator<Uint8Array> {
  const dump = await findDump(repository, snapshot, signal);
  if (!dump) throw noDumpIn(snapshot);
  yield* mongodumpArchive(dump.manifest, dump.open, { onLeftOut });
}

export function noDumpIn(snapshot: StoredSnapshot): SourceError {
  return new SourceError('sources.absent', `snapshot ${snapshot.id.slice(0, 8)} holds no dump of MongoDB`, {
    hint: 'Choose one that `holdfast backup mongodb://…` made.',
  });
}
