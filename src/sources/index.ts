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
export { isMongoUrl, withoutPassword } from './mongodb/mongo-url.ts';
export { coversChoice, type DumpChoice } from './mongodb/namespaces.ts';
export {
  type MongoRestoreOptions,
  mongodumpArchive,
  openArchiveSource,
  openMongoSource,
  preflightMongo,
  restoreMongoDump,
} from './mongodb/open-mongodb.ts';
export type { OplogWish } from './mongodb/oplog/choose-capture.ts';
export type { MongoPreflight } from './mongodb/preflight.ts';
export { type OpenDumpFile, type ReadBackCounts, readDumpBack } from './mongodb/read-dump-back.ts';
export type { RestoredCounts } from './mongodb/restore-dump.ts';
export { type SourceKind, sourceKindOf } from './registry.ts';
export type { EntryContent, Source, SourceEvent, SourceProblem } from './source.ts';
