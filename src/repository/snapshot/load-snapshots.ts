import { type ReadOptions, StorageError } from '#storage';
import type { RepositoryCache } from '../cache/repository-cache.ts';
import { RepositoryError } from '../errors.ts';
import { forEachAtOnce } from '../for-each-at-once.ts';
import type { SnapshotId } from '../format/ids.ts';
import type { UnpackedFiles } from '../unpacked.ts';
import type { StoredSnapshot } from './snapshot.ts';
import { decodeSnapshot } from './snapshot-json.ts';

export interface LoadOptions extends ReadOptions {
  /** Goes on without a snapshot that cannot be read. Without it, the first one is an error. */
  onDamaged?: (id: SnapshotId, error: RepositoryError) => void;
  /** Spares reading the files that it knows. Without it, what is read is what the storage has. */
  cache?: RepositoryCache | undefined;
}

/** How many files are read at once where the storage allows more. */
const readersMax = 16;

/** All snapshots, oldest first. One that is deleted meanwhile is not among them. */
export async function loadSnapshots(
  files: UnpackedFiles,
  options: LoadOptions = {},
): Promise<StoredSnapshot[]> {
  const ids: SnapshotId[] = [];
  for await (const { id } of files.list('snapshots', options)) ids.push(id);
  const snapshots: StoredSnapshot[] = [];
  await forEachAtOnce(ids, Math.min(files.storage.capabilities.concurrency, readersMax), async (id) => {
    const snapshot = await loadIfThere(files, id, options);
    if (snapshot) snapshots.push(snapshot);
  });
  await options.cache?.keepOnly('snapshots', ids);
  return snapshots.sort(byTime);
}

/** One snapshot. @throws RepositoryError 'repository.damaged'; StorageError 'storage.not-found' */
export async function loadSnapshot(
  files: UnpackedFiles,
  id: SnapshotId,
  { cache, signal }: Pick<LoadOptions, 'cache' | 'signal'> = {},
): Promise<StoredSnapshot> {
  const kept = await cache?.load('snapshots', id, { signal });
  if (kept) return { ...decodeSnapshot(kept), id };
  const json = await files.load('snapshots', id, { signal });
  const snapshot = { ...decodeSnapshot(json), id };
  await cache?.save('snapshots', id, json);
  return snapshot;
}

/** Oldest first; the id decides between snapshots of the same instant. */
export function byTime(a: StoredSnapshot, b: StoredSnapshot): number {
  if (a.timeNs !== b.timeNs) return a.timeNs < b.timeNs ? -1 : 1;
  return a.id < b.id ? -1 : 1;
}

async function loadIfThere(
  files: UnpackedFiles,
  id: SnapshotId,
  options: LoadOptions,
): Promise<StoredSnapshot | undefined> {
  try {
    return await loadSnapshot(files, id, options);
  } catch (error) {
    if (error instanceof StorageError && error.code === 'storage.not-found') return undefined;
    if (!(error instanceof RepositoryError) || !options.onDamaged) throw error;
    options.onDamaged(id, error);
    return undefined;
  }
}
