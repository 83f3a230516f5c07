import type { ZonedTime } from '../format/go-time.ts';
import type { BlobId, SnapshotId } from '../format/ids.ts';

/** What a backup did; restic shows it in `snapshots` and `stats`. */
export interface SnapshotSummary {
  backupStart: ZonedTime;
  backupEnd: ZonedTime;
  filesNew: number;
  filesChanged: number;
  filesUnmodified: number;
  dirsNew: number;
  dirsChanged: number;
  dirsUnmodified: number;
  dataBlobs: number;
  treeBlobs: number;
  /** Plain bytes of new blobs. */
  dataAdded: number;
  /** Stored bytes of new blobs. */
  dataAddedPacked: number;
  totalFilesProcessed: number;
  totalBytesProcessed: number;
  /** What could not be read and is not in the snapshot; only where that is something. Ours alone. */
  filesLost?: number;
  /** Members of the JSON that we do not know (rustic has more), kept for a rewrite. */
  unknown?: Readonly<Record<string, unknown>>;
}

/** The state of a source at one time. `timeNs` and `utcOffsetMinutes` are when the backup began. */
export interface Snapshot extends ZonedTime {
  parent?: SnapshotId;
  /** Root tree. */
  tree: BlobId;
  paths: readonly string[];
  hostname: string;
  username: string;
  uid: number;
  gid: number;
  excludes: readonly string[];
  /** Labels. Our own facts are labels of the form `key=value`. */
  tags: readonly string[];
  /** Id of the first form of this snapshot, when labels were changed since. */
  original?: SnapshotId;
  programVersion?: string;
  summary?: SnapshotSummary;
  /** Members of the JSON that we do not know, kept for a rewrite. */
  unknown?: Readonly<Record<string, unknown>>;
}

/** A snapshot as it lies in a repository. */
export interface StoredSnapshot extends Snapshot {
  id: SnapshotId;
}

/** The id that a change of tags does not change. */
export function stableIdOf(snapshot: StoredSnapshot): SnapshotId {
  return snapshot.original ?? snapshot.id;
}

/** Keys of our own facts among the tags. */
export type TagKey = 'name' | 'plan' | 'job' | 'attempt';

/** The value of one of our facts, or undefined when no tag states it. */
export function tagValue(tags: readonly string[], key: TagKey): string | undefined {
  return tags.find((tag) => tag.startsWith(`${key}=`))?.slice(key.length + 1);
}

/** The same snapshot with other tags, to be stored as a new file before the old one is deleted. */
export function withTags(snapshot: StoredSnapshot, tags: readonly string[]): Snapshot {
  const { id, ...rest } = snapshot;
  return { ...rest, tags: [...new Set(tags)], original: snapshot.original ?? id };
}
