import { z } from 'zod';
import { hasNoPassword, SecretRef } from './secret.ts';
import { Size } from './size.ts';
import { Timestamp } from './time.ts';

/** `/srv/backup`, `s3:https://host/bucket/prefix`, `sftp:user@host:/path`: notations of the command line. */
export const Location = z
  .string()
  .min(1)
  .max(2048)
  .refine(hasNoPassword, 'a password does not belong into a location; put it under s3 or sftp')
  .meta({ id: 'Location', examples: ['s3:https://s3.eu-central-1.amazonaws.com/bucket/shop'] });
export type Location = z.infer<typeof Location>;

/** Limits on one storage; what is not given is not limited. */
export const StorageLimits = z
  .strictObject({
    upload: Size.optional().describe('bytes per second'),
    download: Size.optional().describe('bytes per second'),
    calls: z.int().min(1).optional().describe('at once'),
    jobs: z.int().min(1).optional().describe('at once'),
  })
  .meta({ id: 'StorageLimits' });
export type StorageLimits = z.infer<typeof StorageLimits>;

/** The members of a storage. A repository has them too. */
export const storageMembers = {
  location: Location,
  s3: z
    .strictObject({
      accessKeyId: z.union([SecretRef, z.string().regex(/^[A-Za-z0-9._-]+$/)]).optional(),
      secretAccessKey: SecretRef.optional(),
      sessionToken: SecretRef.optional(),
      profile: z.string().optional().describe('of ~/.aws; without any login, the places where AWS puts one'),
      region: z.string().optional(),
      style: z.enum(['auto', 'path', 'virtual']).optional(),
      storageClass: z.string().optional(),
      encryption: z
        .string()
        .regex(/^(AES256|aws:kms(:.+)?)$/, 'write AES256, aws:kms or aws:kms:KEY')
        .optional(),
      lock: z
        .strictObject({ mode: z.enum(['governance', 'compliance']), days: z.int().min(1).max(36_500) })
        .optional()
        .describe('what is written cannot be deleted for so long; the bucket needs object lock'),
      caFile: z.string().optional(),
    })
    .optional(),
  sftp: z
    .strictObject({
      password: SecretRef.optional(),
      keyFile: z.string().optional(),
      passphrase: SecretRef.optional(),
      jump: z.string().optional().describe('user@host:port, several with commas, the nearest first'),
      knownHostsFile: z.string().optional(),
    })
    .optional(),
  limits: StorageLimits.optional(),
};

/** A place for bytes, and how to get in. */
export const StorageSpec = z.strictObject(storageMembers).meta({ id: 'StorageSpec' });
export type StorageSpec = z.infer<typeof StorageSpec>;

/** One line of a storage test: something that backups do there. */
export const StorageTestLine = z
  .object({
    name: z.string().describe('what was tried'),
    state: z
      .enum(['kept', 'absent', 'risky', 'broken'])
      .describe('absent: the storage has no such power, and need not'),
    note: z.string().optional(),
    hint: z.string().optional(),
    durationMs: z.number().min(0),
  })
  .meta({ id: 'StorageTestLine' });
export type StorageTestLine = z.infer<typeof StorageTestLine>;

export const StorageTest = z
  .object({
    location: Location,
    isUsable: z.boolean().describe('nothing is broken'),
    lines: z.array(StorageTestLine),
    testedAt: Timestamp,
  })
  .meta({ id: 'StorageTest' });
export type StorageTest = z.infer<typeof StorageTest>;
