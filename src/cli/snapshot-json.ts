import type { SnapshotSummary, StoredSnapshot } from '#repository';
import { oplogTagIn } from '#sources';

/** `2026-11-24T03:00:05.123Z` of nanoseconds since 1970. */
export function isoTime(timeNs: bigint): string {
  return new Date(Number(timeNs / 1_000_000n)).toISOString();
}

/** A snapshot as `restic snapshots --json` shows it, with `name` added. */
export function snapshotJson(snapshot: StoredSnapshot): Record<string, unknown> {
  const { summary, tags } = snapshot;
  return {
    time: isoTime(snapshot.timeNs),
    parent: snapshot.parent,
    tree: snapshot.tree,
    paths: snapshot.paths,
    hostname: snapshot.hostname,
    username: snapshot.username,
    tags,
    name: nameIn(tags),
    original: snapshot.original,
    program_version: snapshot.programVersion,
    summary: summary && {
      ...summaryJson(summary),
      backup_start: isoTime(summary.backupStart.timeNs),
      backup_end: isoTime(summary.backupEnd.timeNs),
    },
    ...oplogJson(tags),
    id: snapshot.id,
    short_id: snapshot.id.slice(0, 8),
  };
}

/** `oplog: {from, to}` of a slice of MongoDB's oplog, `oplog: {to}` of a full backup that slices join. */
function oplogJson(tags: readonly string[]): Record<string, unknown> {
  const tag = oplogTagIn(tags);
  if (!tag) return {};
  const { from, to } = tag;
  return { oplog: { ...(from ? { from: `${from.t}:${from.i}` } : {}), to: `${to.t}:${to.i}` } };
}

/** What a backup did, by restic's names. */
export function summaryJson(summary: SnapshotSummary): Record<string, number> {
  return {
    files_new: summary.filesNew,
    files_changed: summary.filesChanged,
    files_unmodified: summary.filesUnmodified,
    dirs_new: summary.dirsNew,
    dirs_changed: summary.dirsChanged,
    dirs_unmodified: summary.dirsUnmodified,
    data_blobs: summary.dataBlobs,
    tree_blobs: summary.treeBlobs,
    data_added: summary.dataAdded,
    data_added_packed: summary.dataAddedPacked,
    total_files_processed: summary.totalFilesProcessed,
    total_bytes_processed: summary.totalBytesProcessed,
    ...(summary.filesLost ? { files_lost: summary.filesLost } : {}),
  };
}

/** The name that a snapshot was given: the tag `name=…`. */
export function nameIn(tags: readonly string[]): string | undefined {
  return tags.find((tag) => tag.startsWith('name='))?.slice('name='.length);
}
