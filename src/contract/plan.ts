import { z } from 'zod';
import { JobState } from './job-state.ts';
import { Id, Name, Origin } from './name.ts';
import { PlanSpec } from './plan-spec.ts';
import { Reason } from './problem.ts';
import { Timestamp } from './time.ts';

/** How a plan stands in one of its repositories. */
export const PlanTargetStatus = z
  .object({
    repository: Name,
    state: JobState.optional().describe('of the last run there'),
    reason: Reason.optional(),
    lastSuccessAt: Timestamp.optional(),
    snapshotCount: z.int().min(0).optional(),
    retentionHold: Reason.optional().describe('why nothing is forgotten here'),
    lagSeconds: z.number().min(0).optional().describe('replicate: how far it is behind'),
  })
  .meta({ id: 'PlanTargetStatus' });
export type PlanTargetStatus = z.infer<typeof PlanTargetStatus>;

export const PlanStatus = z
  .object({
    health: z.enum(['proven', 'protected', 'running', 'waiting', 'attention', 'failing', 'paused']),
    reasons: z.array(Reason).describe('worst first; "only on this machine" is one'),
    lastJob: z.object({ id: Id, state: JobState, endedAt: Timestamp.optional() }).optional(),
    recent: z
      .array(z.object({ jobId: Id, state: JobState, at: Timestamp, isDrilled: z.boolean() }))
      .max(30)
      .describe('oldest first'),
    newestSnapshotAt: Timestamp.optional(),
    isLate: z.boolean(),
    lateSince: Timestamp.optional(),
    missedCount: z.int().min(0).describe('runs since the last one that nobody made'),
    nextRuns: z.array(Timestamp).max(5),
    lastProvenAt: Timestamp.optional(),
    restoreSeconds: z.number().min(0).optional().describe('measured by the last drill'),
    targets: z.array(PlanTargetStatus),
  })
  .meta({ id: 'PlanStatus' });
export type PlanStatus = z.infer<typeof PlanStatus>;

/** A configured plan as the API shows it. */
export const Plan = z
  .object({
    id: Id,
    name: Name,
    origin: Origin,
    spec: PlanSpec,
    status: PlanStatus,
    createdAt: Timestamp,
    updatedAt: Timestamp,
    revision: z.int().min(1).describe('to send back as If-Match'),
  })
  .meta({ id: 'Plan' });
export type Plan = z.infer<typeof Plan>;

/** POST /plans, and PUT /plans/{name} with the same name. */
export const PlanInput = z.strictObject({ name: Name, spec: PlanSpec }).meta({ id: 'PlanInput' });
export type PlanInput = z.infer<typeof PlanInput>;
