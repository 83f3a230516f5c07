import { RepositoryError } from '../errors.ts';
import { goJson } from '../format/go-json.ts';
import { formatGoTime, parseGoTime, type ZonedTime } from '../format/go-time.ts';
import { type BlobId, parseId, type SnapshotId } from '../format/ids.ts';
import { countOf, parseJson, recordOf, textOf, textsOf } from '../format/json.ts';
import type { Snapshot, SnapshotSummary } from './snapshot.ts';

/** Members of the summary that are counts, in restic's order, by their names in JSON. */
const counts = [
  ['files_new', 'filesNew'],
  ['files_changed', 'filesChanged'],
  ['files_unmodified', 'filesUnmodified'],
  ['dirs_new', 'dirsNew'],
  ['dirs_changed', 'dirsChanged'],
  ['dirs_unmodified', 'dirsUnmodified'],
  ['data_blobs', 'dataBlobs'],
  ['tree_blobs', 'treeBlobs'],
  ['data_added', 'dataAdded'],
  ['data_added_packed', 'dataAddedPacked'],
  ['total_files_processed', 'totalFilesProcessed'],
  ['total_bytes_processed', 'totalBytesProcessed'],
] as const;

/** The JSON of a snapshot: members in restic's order, absent when empty, those we do not know last. */
export function encodeSnapshot(snapshot: Snapshot): string {
  const { timeNs, utcOffsetMinutes, parent, tree, paths, hostname, username, uid, gid } = snapshot;
  return goJson({
    time: formatGoTime(timeNs, utcOffsetMinutes),
    parent,
    tree,
    paths,
    hostname: hostname || undefined,
    username: username || undefined,
    uid: uid || undefined,
    gid: gid || undefined,
    excludes: snapshot.excludes.length > 0 ? snapshot.excludes : undefined,
    tags: snapshot.tags.length > 0 ? snapshot.tags : undefined,
    original: snapshot.original,
    program_version: snapshot.programVersion || undefined,
    summary: snapshot.summary && encodeSummary(snapshot.summary),
    ...snapshot.unknown,
  });
}

/** @throws RepositoryError 'repository.damaged' */
export function decodeSnapshot(json: Uint8Array): Snapshot {
  const what = 'a snapshot';
  const { time, parent, tree, paths, hostname, username, uid, gid, excludes, tags, original, ...others } =
    recordOf(parseJson(json, what), what);
  const { program_version: programVersion, ...unknown } = others;
  const summary = decodeSummary(unknown.summary);
  if (summary) delete unknown.summary;
  return {
    ...parseGoTime(time),
    ...(parent == null ? {} : { parent: parseId<SnapshotId>(parent, what) }),
    tree: parseId<BlobId>(tree, what),
    paths: textsOf(paths, what),
    hostname: textOf(hostname, what),
    username: textOf(username, what),
    uid: countOf(uid, what),
    gid: countOf(gid, what),
    excludes: textsOf(excludes, what),
    tags: textsOf(tags, what),
    ...(original == null ? {} : { original: parseId<SnapshotId>(original, what) }),
    ...(programVersion == null ? {} : { programVersion: textOf(programVersion, what) }),
    ...(summary ? { summary } : {}),
    ...(Object.keys(unknown).length === 0 ? {} : { unknown }),
  };
}

function encodeSummary(summary: SnapshotSummary): Record<string, unknown> {
  const formatted = (time: ZonedTime) => formatGoTime(time.timeNs, time.utcOffsetMinutes);
  return {
    backup_start: formatted(summary.backupStart),
    backup_end: formatted(summary.backupEnd),
    ...Object.fromEntries(counts.map(([name, key]) => [name, summary[key]])),
    ...(summary.filesLost ? { files_lost: summary.filesLost } : {}),
    ...summary.unknown,
  };
}

/** Undefined when it is not as restic writes it: figures must not keep a snapshot from being restored. */
function decodeSummary(value: unknown): SnapshotSummary | undefined {
  const what = 'the summary of a snapshot';
  try {
    const { backup_start: start, backup_end: end, files_lost: lost = 0, ...unknown } = recordOf(value, what);
    const filesLost = countOf(lost, what);
    const figures: Record<string, number> = {};
    for (const [name, key] of counts) {
      figures[key] = countOf(unknown[name], what);
      delete unknown[name];
    }
    return {
      backupStart: parseGoTime(start),
      backupEnd: parseGoTime(end),
      ...(figures as Record<(typeof counts)[number][1], number>),
      ...(filesLost > 0 ? { filesLost } : {}),
      ...(Object.keys(unknown).length === 0 ? {} : { unknown }),
    };
  } catch (error) {
    if (error instanceof RepositoryError) return undefined;
    throw error;
  }
}
