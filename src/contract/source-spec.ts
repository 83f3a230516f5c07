import { z } from 'zod';
import { Labels } from './name.ts';
import { SecretRef, SecretUrl } from './secret.ts';
import { Size } from './size.ts';
import { storageMembers } from './storage.ts';

const shared = {
  description: z.string().max(500).optional(),
  labels: Labels.optional(),
};

const Patterns = z.array(z.string().min(1)).min(1);

/** Files and folders of the machine that does the work. */
export const FilesSource = z
  .strictObject({
    ...shared,
    kind: z.literal('files'),
    paths: z.array(z.string().startsWith('/', 'write an absolute path')).min(1),
    exclude: Patterns.optional().describe("patterns in restic's syntax"),
    excludeLargerThan: Size.optional(),
    excludeCaches: z.boolean().optional().describe('folders with a CACHEDIR.TAG'),
    excludeIfPresent: Patterns.optional().describe('what lies beside a file of such a name'),
    gitignore: z.boolean().optional().describe('respect .gitignore files'),
    oneFileSystem: z.boolean().optional(),
  })
  .meta({ id: 'FilesSource' });
export type FilesSource = z.infer<typeof FilesSource>;

/** A MongoDB deployment: the whole of it, unless something is chosen. */
export const MongodbSource = z
  .strictObject({
    ...shared,
    kind: z.literal('mongodb'),
    url: SecretUrl,
    username: z.string().optional(),
    password: SecretRef.optional(),
    database: z.string().optional(),
    include: Patterns.optional().describe('namespaces such as shop.*'),
    exclude: Patterns.optional(),
    users: z.boolean().optional().describe('users and roles too'),
    collectionsAtOnce: z.int().min(1).max(64).optional(),
    limitRead: Size.optional().describe('bytes per second'),
    slices: z.boolean().optional().describe('the oplog too, between full snapshots: restores to any second'),
  })
  .meta({ id: 'MongodbSource' });
export type MongodbSource = z.infer<typeof MongodbSource>;

/** A bucket, or what is below a prefix of it; any storage can be one. */
export const BucketSource = z
  .strictObject({ ...shared, kind: z.literal('bucket'), ...storageMembers })
  .meta({ id: 'BucketSource' });
export type BucketSource = z.infer<typeof BucketSource>;

/** What a program prints. Only from holdfast.yaml, or where the server was started with --allow-commands. */
export const CommandSource = z
  .strictObject({
    ...shared,
    kind: z.literal('command'),
    run: z.array(z.string()).min(1).describe('program and arguments; no shell'),
    fileName: z
      .string()
      .min(1)
      .regex(/^[^/\0]+$/, 'a file name has no slash')
      .describe('in the snapshot'),
  })
  .meta({ id: 'CommandSource' });
export type CommandSource = z.infer<typeof CommandSource>;

/** What is protected. */
export const SourceSpec = z
  .discriminatedUnion('kind', [FilesSource, MongodbSource, BucketSource, CommandSource])
  .meta({ id: 'SourceSpec' });
export type SourceSpec = z.infer<typeof SourceSpec>;
export const SourceKind = z.enum(['files', 'mongodb', 'bucket', 'command']).meta({ id: 'SourceKind' });
export type SourceKind = z.infer<typeof SourceKind>;
