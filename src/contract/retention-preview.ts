import { z } from 'zod';
import { KeepPolicy } from './keep-policy.ts';
import { Name } from './name.ts';
import { Reason } from './problem.ts';
import { SnapshotId } from './snapshot.ts';
import { Timestamp } from './time.ts';

/** What a policy does with one snapshot, and why. */
export const RetentionVerdict = z
  .object({
    snapshotId: SnapshotId,
    takenAt: Timestamp,
    source: z.string().optional(),
    fate: z.enum(['stays', 'dies', 'in-trash']),
    reasons: z
      .array(z.string())
      .describe('"daily snapshot", "last good one", "pinned by Ada"; empty when it dies'),
    sizeBytes: z.number().min(0).optional().describe('what only this snapshot needs, where it is known'),
  })
  .meta({ id: 'RetentionVerdict' });
export type RetentionVerdict = z.infer<typeof RetentionVerdict>;

/** POST /plans/{name}/retention/preview. */
export const RetentionPreviewInput = z
  .strictObject({ repository: Name, keep: KeepPolicy.optional().describe('default: what the plan says') })
  .meta({ id: 'RetentionPreviewInput' });
export type RetentionPreviewInput = z.infer<typeof RetentionPreviewInput>;

/** What dies tonight, why each other one lives, and what there would be later. */
export const RetentionPreview = z
  .object({
    repository: Name,
    keep: KeepPolicy.optional(),
    hold: Reason.optional().describe('why nothing is forgotten now'),
    at: Timestamp,
    verdicts: z.array(RetentionVerdict).describe('newest first'),
    later: z.array(
      z.object({
        months: z.int().min(1).describe('from now: 1, 3, 12'),
        at: Timestamp,
        snapshots: z.array(
          z.object({ takenAt: Timestamp, isReal: z.boolean(), reasons: z.array(z.string()) }),
        ),
      }),
    ),
  })
  .meta({ id: 'RetentionPreview' });
export type RetentionPreview = z.infer<typeof RetentionPreview>;
