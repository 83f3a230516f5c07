import { z } from 'zod';
import { Id, Labels, Name, Origin } from './name.ts';
import { Reason } from './problem.ts';
import { Schedule } from './schedule.ts';
import { SecretRef } from './secret.ts';
import { Size } from './size.ts';
import { storageMembers } from './storage.ts';
import { Timestamp } from './time.ts';

/** One encrypted, deduplicated store: a storage, and the password that opens it. */
export const RepositorySpec = z
  .strictObject({
    ...storageMembers,
    password: SecretRef,
    description: z.string().max(500).optional(),
    labels: Labels.optional(),
    adopt: z
      .boolean()
      .optional()
      .describe('it exists already, made by restic, rustic or Backrest; never make one'),
    quota: Size.optional().describe('warn before, refuse beyond'),
    check: Schedule.optional().describe('when its structure is checked; default: weekly'),
    prune: Schedule.optional().describe('when space is freed; default: weekly'),
  })
  .meta({ id: 'RepositorySpec' });
export type RepositorySpec = z.infer<typeof RepositorySpec>;

/** What is known of a repository; what is absent is not known. */
export const RepositoryStatus = z
  .object({
    state: z.enum(['ready', 'absent', 'locked', 'unreachable', 'wrong-password', 'damaged', 'unknown']),
    reason: Reason.optional(),
    seenAt: Timestamp.optional(),
    resticId: z.string().optional().describe('of its config file'),
    snapshotCount: z.int().min(0).optional(),
    usedBytes: z.number().min(0).optional(),
    quotaBytes: z.number().min(0).optional(),
    freeBytes: z.number().min(0).optional(),
    immutableUntil: Timestamp.optional().describe('of what was written last'),
    lastCheckedAt: Timestamp.optional(),
    lastPrunedAt: Timestamp.optional(),
    isOnThisMachine: z.boolean(),
  })
  .meta({ id: 'RepositoryStatus' });
export type RepositoryStatus = z.infer<typeof RepositoryStatus>;

/** A configured repository as the API shows it. */
export const Repository = z
  .object({
    id: Id,
    name: Name,
    origin: Origin,
    spec: RepositorySpec,
    status: RepositoryStatus,
    plans: z.array(Name).describe('that write to it'),
    createdAt: Timestamp,
    updatedAt: Timestamp,
    revision: z.int().min(1),
  })
  .meta({ id: 'Repository' });
export type Repository = z.infer<typeof Repository>;
