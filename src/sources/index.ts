// What is protected: sources yield named streams and metadata, and files come back into a folder. Knows no repository.
export { type BucketSourceOptions, bucketRootOf, bucketSource } from './bucket/bucket-source.ts';
export { BucketTarget, endsBucketRestore, type WantedObject } from './bucket/bucket-target.ts';
export type { TagReading } from './bucket/object-content.ts';
export { SourceError, type SourceErrorCode } from './errors.ts';
export type { ExcludeOptions } from './files/exclude-rules.ts';
export { type FilesSource, type FilesSourceOptions, filesSource, type Totals } from './files/files-source.ts';
export { FolderTarget, type FolderTargetOptions, type TargetSummary } from './files/folder-target.ts';
export { toLowerText } from './files/names.ts';
export type { Decision, OverwritePolicy } from './files/overwrite.ts';
export { type PathList, type PathListForm, parseExcludeFile, parsePathList } from './files/path-lists.ts';
export { PathPatterns } from './files/path-pattern.ts';
export type { RestoredFile } from './files/restored-file.ts';
export { type StreamSourceOptions, streamFolder, streamSource } from './files/stream-source.ts';
export type { TargetFile, TargetFileState } from './files/target-file.ts';
export { TargetPreview } from './files/target-preview.ts';
export type { NeededRoom, TargetState } from './files/target-room.ts';
export { type DumpManifest, parseManifest } from './mongodb/manifest.ts';
export { deploymentFolderOf, isMongoUrl, withoutPassword } from './mongodb/mongo-url.ts';
export { coversChoice, type DumpChoice, literalPattern } from './mongodb/namespaces.ts';
export type { MongoRestoreOptions, MongoRestoreOutcome } from './mongodb/open-mongodb.ts';
export {
  findMongoDocuments,
  mongodumpArchive,
  openArchiveSource,
  openMongoSource,
  openOplogFeed,
  preflightMongo,
  requireOplog,
  restoreMongoDump,
} from './mongodb/open-mongodb.ts';
export type { OplogFeed, OplogSlice } from './mongodb/oplog/oplog-feed.ts';
export { goesOnFrom, isSamePlace, type OplogPlace, oplogTagIn } from './mongodb/oplog/oplog-tag.ts';
export { compareTimes, describeTime, endOfSecond } from './mongodb/oplog/oplog-time.ts';
export { parseSliceManifest, type SliceManifest } from './mongodb/oplog/slice-manifest.ts';
export type { MongoPreflight } from './mongodb/preflight.ts';
export { type OpenDumpFile, readDumpBack, readSliceBack } from './mongodb/read-dump-back.ts';
export type { RestorePlan } from './mongodb/restore-plan.ts';
export { type SourceKind, sourceKindOf } from './registry.ts';
export type { EntryContent, Source, SourceEvent, SourceProblem } from './source.ts';
