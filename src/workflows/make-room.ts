import {
  forgetSnapshots,
  freedByForgetting,
  pruneRepository,
  type Repository,
  type StoredSnapshot,
} from '#repository';
import { decideRetention, type GroupBy, type RetentionPolicy } from '#retention';
import { isNearlyFull, nearlyFullShare, type RepositoryUse, repositoryUse } from './quota.ts';

/** What may be forgotten when a repository is full: the snapshots that a retention policy does not keep. */
export interface WhenFull {
  policy: RetentionPolicy;
  groupBy?: readonly GroupBy[];
}

/** What was done to make room. */
export interface RoomMade {
  /** Oldest first. */
  forgotten: StoredSnapshot[];
  before: RepositoryUse;
  after: RepositoryUse;
}

interface MakeRoomRequest extends WhenFull {
  quotaBytes: number;
  use: RepositoryUse;
  signal: AbortSignal;
}

/**
 * Frees at once what no snapshot needs. Where that does not help, the oldest of the snapshots that the policy does not
 * keep are forgotten, no more than it takes to come below the share from which somebody should know. When all of them
 * would not make the repository less than full, none is. What object lock still keeps stays: it would free nothing.
 */
export async function makeRoom(repository: Repository, request: MakeRoomRequest): Promise<RoomMade> {
  const { quotaBytes, use: before, signal } = request;
  const free = async (maxUnused: 'unlimited' | { sizeBytes: number }): Promise<RepositoryUse> => {
    await pruneRepository(repository, { graceMs: 0, maxUnused, signal });
    return repositoryUse(repository, { quotaBytes, signal });
  };
  // Packs that are wholly unused go first: copying the rest of others needs room itself.
  const freed = await free('unlimited');
  if (!isNearlyFull(freed)) return { forgotten: [], before, after: freed };
  const forgotten = await forgetOldest(repository, request, freed);
  await free('unlimited');
  return { forgotten, before, after: await free({ sizeBytes: 0 }) };
}

async function forgetOldest(
  repository: Repository,
  { policy, groupBy, signal }: WhenFull & { signal: AbortSignal },
  use: RepositoryUse,
): Promise<StoredSnapshot[]> {
  let chosen: StoredSnapshot[] = [];
  const choose = async (snapshots: readonly StoredSnapshot[], signal: AbortSignal) => {
    const nowMs = repository.clock.nowMs();
    const groups = decideRetention(snapshots, policy, { nowMs, ...(groupBy && { groupBy }) });
    const dropped = new Set(groups.flatMap(({ forget }) => forget));
    const candidates: StoredSnapshot[] = [];
    for (const snapshot of snapshots)
      if (dropped.has(snapshot) && !(await isLocked(repository, snapshot, signal))) candidates.push(snapshot);
    const keep = snapshots.filter((snapshot) => !candidates.includes(snapshot));
    const freedBytes = await freedByForgetting(repository, candidates, { keep, signal });
    chosen = candidates.slice(0, countFor(freedBytes, use));
    return chosen.map(({ id }) => id);
  };
  await forgetSnapshots(repository, choose, { signal });
  return chosen;
}

/** How many must go. @param freedBytes by how many go */
function countFor(freedBytes: readonly number[], { storedBytes, mostBytes }: RepositoryUse): number {
  const enough = freedBytes.findIndex((bytes) => storedBytes - bytes < nearlyFullShare * mostBytes);
  if (enough >= 0) return enough;
  return storedBytes - freedBytes.at(-1)! < mostBytes ? freedBytes.length - 1 : 0;
}

async function isLocked(
  { storage, clock }: Repository,
  { id }: StoredSnapshot,
  signal: AbortSignal,
): Promise<boolean> {
  const until = await storage.retention?.retainedUntil(`snapshots/${id}`, { signal });
  return until !== undefined && until.getTime() > clock.nowMs();
}
