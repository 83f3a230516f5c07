// Where bytes rest, by name: local folders, memory, and wrappers around any storage. Knows no blob and no snapshot.
export { type ProbeOptions, type ProbeResult, probeStorage } from './checks/probe.ts';
export { readInto } from './content.ts';
export { StorageError, type StorageErrorCode } from './errors.ts';
export { parseLocation } from './location.ts';
export { MemoryStorage } from './memory/memory-storage.ts';
export { type OpenOptions, openStorage } from './registry.ts';
export type { LockRule, S3Options } from './s3/options.ts';
export type { HostKeyQuestion, SftpOptions } from './sftp/options.ts';
export type {
  BucketObject,
  ByteRange,
  Capabilities,
  Content,
  Copies,
  CopySource,
  ExtendOptions,
  FileInfo,
  FileVersion,
  LockMode,
  ObjectFacts,
  ObjectMetadata,
  ObjectPage,
  Objects,
  ReadObjectOptions,
  ReadOptions,
  Retention,
  Space,
  Storage,
  Versions,
  WriteOptions,
} from './storage.ts';
export { type Tampering, tamperingSince } from './wrappers/as-of.ts';
export type { Limits } from './wrappers/limit.ts';
export { type RetryEvent, type RetryOptions, retry } from './wrappers/retry.ts';
