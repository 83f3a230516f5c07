import { messageOf } from '#base';
import { RepositoryError } from '../errors.ts';
import type { BlobId } from '../format/ids.ts';
import { loadIndex } from '../index/load-index.ts';
import type { RepositoryIndex } from '../index/repository-index.ts';
import { BlobReader } from '../read/blob-reader.ts';
import type { Repository } from '../repository.ts';
import { loadSnapshots } from '../snapshot/load-snapshots.ts';
import type { StoredSnapshot } from '../snapshot/snapshot.ts';
import { type AffectedFile, findAffected } from './affected.ts';
import { checkKeys } from './check-keys.ts';
import { checkPacks, type KnownPack } from './check-packs.ts';
import { checkTrees, type TreeCheckProgress } from './check-trees.ts';
import type { Finding } from './finding.ts';
import { type ReadProgress, readPacks } from './read-packs.ts';

/** Which packs are read whole: none, all, the n-th of t parts (t runs cover all), a share, or about so many bytes. */
export type ReadDataChoice =
  | 'none'
  | 'all'
  | { part: number; of: number }
  | { percent: number }
  | { sizeBytes: number };

export interface CheckOptions {
  readData?: ReadDataChoice;
  onFinding?: (finding: Finding) => void;
  onProgress?: (progress: CheckProgress) => void;
  signal?: AbortSignal;
}

export interface CheckProgress extends TreeCheckProgress, ReadProgress {
  phase: 'index' | 'packs' | 'trees' | 'data' | 'affected';
  snapshotsTotal: number;
  packsTotal: number;
  bytesTotal: number;
}

export interface CheckReport {
  findings: Finding[];
  /** No finding is an error. */
  isSound: boolean;
  snapshots: number;
  packs: number;
  blobs: number;
  /** Packs whose every byte was read. */
  packsRead: number;
  bytesRead: number;
  /** Files that cannot be restored whole, by snapshot; a bounded list. */
  affected: AffectedFile[];
}

/**
 * Checks a repository under an exclusive lock: config, keys, index, packs, snapshots and folders, and by choice every byte.
 * Findings are returned, not thrown; what is thrown kept the check from being done.
 */
export async function checkRepository(
  repository: Repository,
  options: CheckOptions = {},
): Promise<CheckReport> {
  await using lock = await repository.lock({
    exclusive: true,
    isReading: true,
    signal: options.signal,
  });
  const { signal } = lock;
  const findings: Finding[] = [];
  const report = (finding: Finding): void => {
    findings.push(finding);
    options.onFinding?.(finding);
  };
  const progress: CheckProgress = {
    phase: 'index',
    snapshotsTotal: 0,
    snapshotsDone: 0,
    treesDone: 0,
    packsTotal: 0,
    packsDone: 0,
    bytesTotal: 0,
    bytesDone: 0,
  };
  options.onProgress?.(progress);
  await checkKeys(repository, report, signal);
  const snapshots = await checkSnapshots(repository, report, signal);
  progress.snapshotsTotal = snapshots.length;
  // An index of its own: it may be full of holes, which nobody else must take for the truth.
  const index = await checkIndex(repository, report, signal);
  const reader = new BlobReader(repository.storage, index, repository.key.key);
  progress.phase = 'packs';
  const { found: packs, goneMarked } = await checkPacks(repository, index, report, signal);
  progress.phase = 'trees';
  await checkTrees({ index, reader, goneMarked }, snapshots, report, progress, signal);
  const chosen = choosePacks(repository, packs, options.readData ?? 'none');
  progress.phase = 'data';
  progress.packsTotal = chosen.length;
  progress.bytesTotal = chosen.reduce((sum, pack) => sum + pack.sizeBytes, 0);
  await readPacks(repository, index, chosen, report, progress, signal);
  progress.phase = 'affected';
  const affected = await affectedBy({ index, reader }, snapshots, findings, signal);
  return {
    findings,
    isSound: !findings.some((finding) => finding.gravity === 'error'),
    snapshots: snapshots.length,
    packs: packs.length,
    blobs: index.table.size,
    packsRead: progress.packsDone,
    bytesRead: progress.bytesDone,
    affected,
  };
}

async function checkSnapshots(
  repository: Repository,
  report: (finding: Finding) => void,
  signal: AbortSignal,
): Promise<StoredSnapshot[]> {
  return loadSnapshots(repository.unpacked, {
    signal,
    onDamaged: (id, error) =>
      report({
        gravity: 'error',
        code: 'snapshot-damaged',
        snapshot: id,
        message: `snapshot ${id.slice(0, 12)}: ${messageOf(error)}`,
      }),
  });
}

async function checkIndex(
  repository: Repository,
  report: (finding: Finding) => void,
  signal: AbortSignal,
): Promise<RepositoryIndex> {
  const { index } = await loadIndex(repository.unpacked, {
    signal,
    onDamaged: (id, error) =>
      report({
        gravity: 'error',
        code: error instanceof RepositoryError ? 'index-damaged' : 'unreadable',
        index: id,
        message: `index file ${id.slice(0, 12)}: ${messageOf(error)}`,
      }),
  });
  const { copyCount } = index;
  if (copyCount > 0) {
    report({
      gravity: 'hint',
      code: 'index-duplicate',
      message: `${copyCount} blobs are stored twice; a prune will remove one copy`,
    });
  }
  return index;
}

function choosePacks(
  repository: Repository,
  packs: readonly KnownPack[],
  choice: ReadDataChoice,
): KnownPack[] {
  if (choice === 'none') return [];
  if (choice === 'all') return [...packs];
  if ('part' in choice)
    return packs.filter(({ id }) => Number.parseInt(id.slice(0, 2), 16) % choice.of === choice.part - 1);
  const shuffled = packs.map((pack) => ({ pack, rank: repository.random.below(2 ** 32) }));
  shuffled.sort((a, b) => a.rank - b.rank);
  if ('percent' in choice) {
    const count = Math.ceil((packs.length * choice.percent) / 100);
    return shuffled.slice(0, count).map(({ pack }) => pack);
  }
  const chosen: KnownPack[] = [];
  let total = 0;
  for (const { pack } of shuffled) {
    if (total >= choice.sizeBytes) break;
    chosen.push(pack);
    total += pack.sizeBytes;
  }
  return chosen;
}

/** Files that contain what is damaged or lies in a missing pack. */
async function affectedBy(
  { index, reader }: { index: RepositoryIndex; reader: BlobReader },
  snapshots: readonly StoredSnapshot[],
  findings: readonly Finding[],
  signal: AbortSignal,
): Promise<AffectedFile[]> {
  const badBlobs = new Set<BlobId>();
  const badPacks = new Set<string>();
  for (const { code, blob, pack } of findings) {
    if (code === 'blob-damaged' || code === 'blob-missing' || code === 'tree-damaged')
      badBlobs.add(blob as BlobId);
    if (code === 'pack-missing' && pack) badPacks.add(pack);
  }
  if (badBlobs.size === 0 && badPacks.size === 0) return [];
  const isBad = (type: 'data' | 'tree', id: BlobId): boolean =>
    badBlobs.has(id) || index.places(type, id).every((place) => badPacks.has(index.packs.idOf(place.pack)));
  return findAffected(reader, snapshots, isBad, signal);
}
