import { z } from 'zod';
import { Id, Name } from './name.ts';
import { Badge } from './proof.ts';
import { Timestamp } from './time.ts';

export const SnapshotId = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .meta({ id: 'SnapshotId' });
export type SnapshotId = z.infer<typeof SnapshotId>;

/** What keeps a snapshot from being forgotten. */
export const Pin = z
  .object({
    kind: z.enum(['pin', 'legal-hold']),
    by: z.string(),
    at: Timestamp,
    note: z.string(),
    until: Timestamp.optional(),
  })
  .meta({ id: 'Pin' });
export type Pin = z.infer<typeof Pin>;

/** The state of a source at one time, in one repository. */
export const Snapshot = z
  .object({
    id: SnapshotId,
    repository: Name,
    takenAt: Timestamp,
    name: z.string().optional().describe('the tag name=…: its source'),
    plan: Name.optional(),
    jobId: Id.optional(),
    hostname: z.string(),
    paths: z.array(z.string()),
    tags: z.array(z.string()),
    state: z
      .enum(['succeeded', 'warning', 'partial'])
      .optional()
      .describe('of the job that made it; absent: not known'),
    processedBytes: z.number().min(0).optional(),
    addedBytes: z.number().min(0).optional(),
    itemCount: z.int().min(0).optional(),
    badges: z.array(Badge).describe('the newest of each rung, lowest rung first'),
    pins: z.array(Pin),
    immutableUntil: Timestamp.optional(),
    forgottenAt: Timestamp.optional().describe('in the trash since'),
    trashUntil: Timestamp.optional().describe('can be taken back until then'),
    consistencyGroup: z
      .object({ name: Name, point: z.string(), skewMs: z.number().min(0) })
      .optional()
      .describe('taken together with others'),
  })
  .meta({ id: 'Snapshot' });
export type Snapshot = z.infer<typeof Snapshot>;

/** One thing inside a snapshot. */
export const Entry = z
  .object({
    name: z.string(),
    path: z.string(),
    type: z.enum(['file', 'dir', 'symlink', 'other']),
    sizeBytes: z.number().min(0).optional(),
    modifiedAt: Timestamp.optional(),
    linkTarget: z.string().optional(),
  })
  .meta({ id: 'Entry' });
export type Entry = z.infer<typeof Entry>;

/** POST /snapshots/{id}/pins. */
export const PinInput = z
  .strictObject({
    kind: z.enum(['pin', 'legal-hold']),
    note: z.string().min(1).max(500),
    until: Timestamp.optional(),
  })
  .meta({ id: 'PinInput' });
export type PinInput = z.infer<typeof PinInput>;
