// Which snapshots stay, and why: restic's forget rules as pure functions. Deletes nothing and knows no repository.

export { type Decision, decideRetention, type GroupDecision } from './decide.ts';
export { type Duration, formatDuration, parseDuration } from './duration.ts';
export { RetentionError, type RetentionErrorCode } from './errors.ts';
export { type GroupBy, type GroupKey, groupSnapshots, parseGroupBy, type SnapshotGroup } from './group.ts';
export { isEmptyPolicy, type RetentionPolicy, reachDaysOf } from './policy.ts';
export type { RetentionSnapshot } from './snapshot.ts';
