import type { Clock } from '#base';
import type { ObjectMetadata } from '../storage.ts';
import type { Connection } from './connection.ts';
import { metadataFields } from './metadata.ts';
import type { S3Options } from './options.ts';

const coldBytesMin = 128 * 1024;
const dayMs = 24 * 60 * 60 * 1000;

export interface NewObject {
  name: string;
  key: string;
  /** What is kept beside the bytes. */
  metadata: ObjectMetadata;
}

interface Site {
  connection: Connection;
  options: S3Options;
  clock: Clock;
}

/** Fields that every new object gets. @param sizeBytes by default of one that comes in parts */
export function newObject(
  { connection, options, clock }: Site,
  { name, key, metadata }: NewObject,
  sizeBytes = coldBytesMin,
) {
  const { encryption, storageClass, lock } = options;
  const isLocked = lock && !lock.exempt?.some((start) => name.startsWith(start));
  return {
    Bucket: connection.bucket,
    Key: key,
    ...(storageClass && sizeBytes >= coldBytesMin && { StorageClass: storageClass as 'STANDARD_IA' }),
    ...metadataFields(metadata),
    ...(encryption && { ServerSideEncryption: encryption.kind }),
    ...(encryption?.kind === 'aws:kms' && encryption.keyId && { SSEKMSKeyId: encryption.keyId }),
    ...(isLocked && {
      ObjectLockMode: lock.mode === 'compliance' ? ('COMPLIANCE' as const) : ('GOVERNANCE' as const),
      ObjectLockRetainUntilDate: new Date(clock.nowMs() + lock.days * dayMs),
    }),
  };
}
