import type { Repository, StoredSnapshot } from '#repository';
import { findMongoDocuments } from '#sources';
import { findDump } from './stored-dump.ts';

/** A document of a dump, as canonical Extended JSON. */
interface StoredDocument {
  snapshot: StoredSnapshot;
  namespace: string;
  json: string;
}

interface FindDocumentsRequest {
  repository: Repository;
  snapshots: readonly StoredSnapshot[];
  ids: readonly string[];
  /** Patterns of namespaces; undefined: all. */
  includes?: readonly string[] | undefined;
  signal?: AbortSignal | undefined;
}

/** Documents by `_id` in the dumps of snapshots; those without a dump are passed over. The caller holds a lock. */
export async function* findStoredDocuments({
  repository,
  snapshots,
  ids,
  includes,
  signal,
}: FindDocumentsRequest): AsyncGenerator<StoredDocument> {
  for (const snapshot of snapshots) {
    signal?.throwIfAborted();
    const dump = await findDump(repository, snapshot, signal);
    if (!dump) continue;
    for await (const found of findMongoDocuments(dump.manifest, dump.open, { ids, includes }))
      yield { ...found, snapshot };
  }
}
