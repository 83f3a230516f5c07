/** Files and their bytes. */
export interface PackCount {
  count: number;
  sizeBytes: number;
}

/** What a prune did; after a dry run, what it would do. */
export interface PruneReport {
  isDryRun: boolean;
  snapshots: number;
  blobs: {
    used: number;
    unused: number;
    /** Second copies of used blobs. */
    duplicate: number;
  };
  packs: {
    /** In use and left alone. */
    kept: PackCount;
    /** Their used blobs were copied into new packs; they are among the marked or deleted ones too. */
    repacked: PackCount;
    /** Marked for deletion by this prune: a later one deletes them when their grace is over. */
    marked: PackCount;
    /** Marked before; their grace is not over. */
    waiting: PackCount;
    /** Marked before and in use again: the mark was taken back. */
    recovered: PackCount;
    deleted: PackCount;
    /** The storage refused to delete them yet (object lock); a later prune tries again. */
    locked: PackCount;
  };
  /** Unused bytes in packs that were kept. */
  unusedBytes: number;
  /** All pack files before and afterwards. */
  bytesBefore: number;
  bytesAfter: number;
}

export function newPruneReport(): PruneReport {
  const none = (): PackCount => ({ count: 0, sizeBytes: 0 });
  return {
    isDryRun: false,
    snapshots: 0,
    blobs: { used: 0, unused: 0, duplicate: 0 },
    packs: {
      kept: none(),
      repacked: none(),
      marked: none(),
      waiting: none(),
      recovered: none(),
      deleted: none(),
      locked: none(),
    },
    unusedBytes: 0,
    bytesBefore: 0,
    bytesAfter: 0,
  };
}

/** Counts in one more pack. */
export function note(count: PackCount, sizeBytes: number): void {
  count.count++;
  count.sizeBytes += sizeBytes;
}
