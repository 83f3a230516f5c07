// One file per kind of job: each joins a source, a repository and a target. Knows neither server nor command line.
export { type BackupOutcome, type BackupRequest, backup } from './backup.ts';
export { type BackupOplogOutcome, backupOplog, type SavedSlice } from './backup-oplog.ts';
export { type Comparison, compareFolders, type Difference } from './compare-folders.ts';
export { dumpMongoArchive } from './dump-archive.ts';
export { WorkflowError } from './errors.ts';
export { findStoredDocuments } from './find-documents.ts';
export { type ForgetOutcome, type ForgetRequest, forget } from './forget.ts';
export { type CommandRecord, type ProvenSnapshot, proveSnapshotBefore, recordCommand } from './guard.ts';
export type { RoomMade, WhenFull } from './make-room.ts';
export { deploymentOf, isSlice, type LineMember, membersOf, runsOf, slicesFrom } from './oplog-line.ts';
export type { FinalState, Problem } from './outcome.ts';
export { type PreviewRequest, previewRestore, type RestorePreview } from './preview-restore.ts';
export { describeUse, isNearlyFull, type RepositoryUse } from './quota.ts';
export { type ReadBackOutcome, readBack } from './read-back.ts';
export type { CompareBy } from './replicate/changes.ts';
export {
  type PlannedChange,
  type ReplicateOutcome,
  type ReplicateRequest,
  replicate,
} from './replicate.ts';
export { type RestoreOutcome, type RestoreProgress, type RestoreRequest, restore } from './restore.ts';
export { type RestoreDatabaseOutcome, restoreDatabase } from './restore-database.ts';
export { type RestoreFilterOptions, type RestoreVerdict, restoreFilter } from './restore-filter.ts';
export { previewBucketRestore, restoreToBucket } from './restore-to-bucket.ts';
