import { hash } from 'node:crypto';
import { sealOverheadBytes } from '../crypto/blob-codec.ts';
import type { BlobId } from '../format/ids.ts';
import { plainSizeOf } from '../index/repository-index.ts';
import { SlotSet } from '../index/slot-set.ts';
import type { Repository } from '../repository.ts';
import type { StoredSnapshot } from '../snapshot/snapshot.ts';
import { slotOf, visitTrees } from './visit-trees.ts';
import { type WalkEntry, walkSnapshot } from './walk-snapshot.ts';

/** restic's ways of counting: what a restore would write; different files; their blobs file by file; what is stored. */
export type StatsMode = 'restore-size' | 'files-by-contents' | 'blobs-per-file' | 'raw-data';

export interface RepositoryStats {
  snapshotCount: number;
  /** Entries of every type, as restic counts them; 0 for raw data. */
  fileCount: number;
  blobCount: number;
  sizeBytes: number;
  /** Of raw data. */
  raw?: RawStats;
}

interface RawStats {
  /** What the blobs would need without compression, encrypted. */
  uncompressedSizeBytes: number;
  /** Plain size of the compressed blobs to their stored size; 0 when none is compressed. */
  compressionRatio: number;
  /** Share of the data that went through the compressor, in percent. */
  compressionProgressPercent: number;
  compressionSpaceSavingPercent: number;
}

export interface StatsRequest {
  snapshots: readonly StoredSnapshot[];
  mode: StatsMode;
  signal?: AbortSignal | undefined;
}

/** Counts what snapshots hold, as `restic stats` does. @throws RepositoryError 'repository.damaged', 'repository.incomplete' */
export async function statsOf(repository: Repository, request: StatsRequest): Promise<RepositoryStats> {
  const stats: RepositoryStats = {
    snapshotCount: request.snapshots.length,
    fileCount: 0,
    blobCount: 0,
    sizeBytes: 0,
  };
  if (request.mode === 'raw-data') await countRawData(repository, request, stats);
  else if (request.mode === 'restore-size') await countRestoreSize(repository, request, stats);
  else await countContents(repository, request, stats);
  return stats;
}

async function countRestoreSize(
  repository: Repository,
  { snapshots, signal }: StatsRequest,
  stats: RepositoryStats,
): Promise<void> {
  for (const snapshot of snapshots) {
    const seenInodes = new Set<string>();
    for await (const { node } of walkSnapshot(repository, snapshot, { signal })) {
      stats.fileCount++;
      if (node.links > 1 && node.inode !== 0n) {
        const key = `${node.deviceId}:${node.inode}`;
        if (seenInodes.has(key)) continue;
        seenInodes.add(key);
      }
      stats.sizeBytes += node.sizeBytes;
    }
  }
}

/** Files with the same content count once; `blobs-per-file` counts each blob of such a file once. */
async function countContents(
  repository: Repository,
  { snapshots, mode, signal }: StatsRequest,
  stats: RepositoryStats,
): Promise<void> {
  const index = await repository.index();
  const seenTrees = new SlotSet(index.table.slots);
  const seenContents = new Set<string>();
  const blobsOfFiles = new Map<string, Set<BlobId>>();
  const isEntered = ({ node }: WalkEntry): boolean => {
    const slot = slotOf(index, 'tree', node.subtree!);
    return slot < 0 || seenTrees.add(slot);
  };
  for (const snapshot of snapshots) {
    for await (const { path, node } of walkSnapshot(repository, snapshot, { isEntered, signal })) {
      const content = node.content ?? [];
      const key = hash('sha256', content.join(), 'base64');
      if (seenContents.has(key)) continue;
      seenContents.add(key);
      if (mode === 'files-by-contents') {
        stats.fileCount++;
        stats.sizeBytes += node.sizeBytes;
        continue;
      }
      // In restic a file is its path: another content at the same path is no further file.
      let blobs = blobsOfFiles.get(path);
      if (!blobs && content.length > 0) {
        blobs = new Set();
        blobsOfFiles.set(path, blobs);
        stats.fileCount++;
      }
      for (const id of content) {
        if (blobs!.has(id)) continue;
        blobs!.add(id);
        stats.blobCount++;
        stats.sizeBytes += index.plainSize('data', id) ?? 0;
      }
    }
  }
}

async function countRawData(
  repository: Repository,
  { snapshots, signal }: StatsRequest,
  stats: RepositoryStats,
): Promise<void> {
  const { table } = await repository.index();
  const used = new SlotSet(table.slots);
  const visitor = {
    isEntered: (slot: number) => used.add(slot),
    visitData: (slot: number) => void used.add(slot),
  };
  for (const { tree } of snapshots) await visitTrees(repository, tree, visitor, signal);
  let uncompressedSizeBytes = 0;
  const compressed = { storedBytes: 0, plainBytes: 0 };
  table.forEach((_type, _id, place, slot) => {
    if (!used.has(slot)) return;
    const plainBytes = plainSizeOf(place) + sealOverheadBytes;
    stats.blobCount++;
    stats.sizeBytes += place.length;
    uncompressedSizeBytes += plainBytes;
    if (place.uncompressedLength === 0) return;
    compressed.storedBytes += place.length;
    compressed.plainBytes += plainBytes;
  });
  stats.raw = {
    uncompressedSizeBytes,
    compressionRatio: ratio(compressed.plainBytes, compressed.storedBytes),
    compressionProgressPercent: 100 * ratio(compressed.plainBytes, uncompressedSizeBytes),
    compressionSpaceSavingPercent:
      uncompressedSizeBytes === 0 ? 0 : 100 * (1 - stats.sizeBytes / uncompressedSizeBytes),
  };
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
