// The encrypted, deduplicated store in restic's format, version 2. A library of its own: it needs no database of ours.
export type { StoredContent } from './backup/chunk-stream.ts';
export type { FileContent } from './backup/content-reader.ts';
export type { FileProblem, SnapshotWriter, WriteProgress } from './backup/snapshot-writer.ts';
export type { StoredCounts } from './backup/write-session.ts';
export {
  streamAttributes,
  type WriteSnapshotOptions,
  type WrittenSnapshot,
  writeSnapshot,
} from './backup/write-snapshot.ts';
export type { AffectedFile } from './check/affected.ts';
export {
  type CheckOptions,
  type CheckProgress,
  type CheckReport,
  checkRepository,
  type ReadDataChoice,
} from './check/check-repository.ts';
export type { Finding } from './check/finding.ts';
export type { CompressionMode } from './crypto/blob-codec.ts';
export { RepositoryError } from './errors.ts';
export { type Executor, inlineExecutor, threadExecutor } from './executor/executor.ts';
export type { BlobId, KeyId, PackId, SnapshotId } from './format/ids.ts';
export { type LockOwner, surviveLockProbes, systemOwner } from './lock/owner.ts';
export {
  type InitOptions,
  initRepository,
  type OpenOptions,
  openRepository,
  Repository,
} from './repository.ts';
export { type FileSink, type RestoreFile, restoreFiles } from './restore/restore-files.ts';
export { findSnapshot, matchesFilter, type SnapshotFilter } from './snapshot/find-snapshot.ts';
export { type SnapshotSummary, type StoredSnapshot, stableIdOf } from './snapshot/snapshot.ts';
export type { TreeNode } from './snapshot/tree.ts';
