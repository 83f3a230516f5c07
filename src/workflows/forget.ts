import {
  forgetSnapshots,
  matchesFilter,
  type Repository,
  type SnapshotFilter,
  type StoredSnapshot,
} from '#repository';
import { decideRetention, type GroupBy, type GroupDecision, type RetentionPolicy } from '#retention';
import { decideSlices } from './decide-slices.ts';
import { isSlice } from './oplog-line.ts';

export interface ForgetRequest {
  repository: Repository;
  policy: RetentionPolicy;
  /** What the snapshots of a group have in common; host and paths by default. */
  groupBy?: readonly GroupBy[];
  /** Only these snapshots are looked at; the others stay. */
  filter?: SnapshotFilter;
  /** Decide, and delete nothing. */
  dryRun?: boolean;
  /** Called with each snapshot that is gone. */
  onForgotten?: (id: StoredSnapshot['id']) => void;
  signal?: AbortSignal;
}

export interface ForgetOutcome {
  /** What was decided, group by group, with the reasons for what stays. */
  groups: GroupDecision<StoredSnapshot>[];
  /** How many snapshots were deleted; 0 after a dry run. */
  forgottenCount: number;
}

/**
 * Drops the snapshots that a retention policy does not keep. Their space is freed by a prune. Slices of an oplog follow
 * the full backups that they need.
 * @throws RetentionError 'retention.empty-policy', 'retention.policy'
 */
export async function forget(request: ForgetRequest): Promise<ForgetOutcome> {
  const { repository, policy, groupBy, filter = {}, onForgotten, signal } = request;
  const decide = (snapshots: readonly StoredSnapshot[]): GroupDecision<StoredSnapshot>[] => {
    const wanted = snapshots.filter((snapshot) => matchesFilter(snapshot, filter));
    const decided = decideRetention(
      wanted.filter((snapshot) => !isSlice(snapshot)),
      policy,
      { nowMs: repository.clock.nowMs(), ...(groupBy ? { groupBy } : {}) },
    );
    const going = new Set(decided.flatMap((group) => group.forget));
    const staying = new Set(snapshots.filter((snapshot) => !isSlice(snapshot) && !going.has(snapshot)));
    return [...decided, ...decideSlices(wanted, snapshots, staying)];
  };
  if (request.dryRun) {
    await using lock = await repository.lock({ exclusive: false, signal });
    return { groups: decide(await repository.snapshots({ signal: lock.signal })), forgottenCount: 0 };
  }
  let groups: GroupDecision<StoredSnapshot>[] = [];
  const choose = (snapshots: readonly StoredSnapshot[]): StoredSnapshot['id'][] => {
    groups = decide(snapshots);
    return groups.flatMap((group) => group.forget.map(({ id }) => id));
  };
  const forgotten = await forgetSnapshots(repository, choose, {
    signal,
    ...(onForgotten ? { onForgotten } : {}),
  });
  return { groups, forgottenCount: forgotten.length };
}
