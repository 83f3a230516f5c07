import { z } from 'zod';
import { JobState } from './job-state.ts';
import { Id, Labels, Name } from './name.ts';
import { Reason } from './problem.ts';
import { Timestamp } from './time.ts';

export const JobKind = z
  .enum([
    'backup',
    'self',
    'restore',
    'check',
    'verify',
    'read-back',
    'drill',
    'forget',
    'prune',
    'copy',
    'replicate',
    'recover',
    'log-sync',
  ])
  .meta({ id: 'JobKind' });
export type JobKind = z.infer<typeof JobKind>;

/** What moves while a job runs. A total that is not known is absent, never 0; 100 % only after the checks. */
export const JobProgress = z
  .object({
    phase: z.string().describe('name of the step'),
    bytesDone: z.number().min(0),
    bytesTotal: z.number().min(0).optional(),
    itemsDone: z.int().min(0),
    itemsTotal: z.int().min(0).optional(),
    bytesPerSecond: z.number().min(0).optional(),
    etaSeconds: z.number().min(0).optional(),
    current: z.string().optional().describe('what is being read'),
  })
  .meta({ id: 'JobProgress' });
export type JobProgress = z.infer<typeof JobProgress>;

/** A part of a job that is not repeated once done. */
export const Step = z
  .object({
    name: z.string().describe('as in the code of the workflow'),
    state: JobState,
    reason: Reason.optional(),
    attempt: z.int().min(1),
    detail: z.string().optional().describe('one line: "4.86 GB in 1,951 files"'),
    startedAt: Timestamp.optional(),
    endedAt: Timestamp.optional(),
  })
  .meta({ id: 'Step' });
export type Step = z.infer<typeof Step>;

/** What a job made in one repository. */
export const JobResult = z
  .object({
    repository: Name.optional(),
    source: Name.optional(),
    state: JobState,
    reason: Reason.optional(),
    snapshotId: z.string().optional(),
    addedBytes: z.number().min(0).optional(),
    processedBytes: z.number().min(0).optional(),
    itemCount: z.int().min(0).optional(),
    counts: z
      .record(z.string(), z.number())
      .optional()
      .describe('restore, drill, prune …: what was done, by name'),
    evidenceId: Id.optional(),
  })
  .meta({ id: 'JobResult' });
export type JobResult = z.infer<typeof JobResult>;

/** One execution of work. */
export const Job = z
  .object({
    id: Id,
    kind: JobKind,
    state: JobState,
    reason: Reason.optional().describe('of every state but queued, running and succeeded'),
    plan: Name.optional(),
    repository: Name.optional(),
    source: Name.optional(),
    labels: Labels,
    trigger: z.enum(['schedule', 'catch-up', 'person', 'api', 'guard', 'holdfast']),
    requestedBy: z.string().optional().describe('a person’s name or a token’s'),
    attempt: z.int().min(0).describe('0: not begun'),
    waitsFor: z.string().optional().describe('queued: "2 jobs on storage nas run already"'),
    cancelRequestedAt: Timestamp.optional(),
    worker: z.string().optional(),
    progress: JobProgress.optional(),
    scheduledAt: Timestamp.optional().describe('the run of the schedule that it is'),
    createdAt: Timestamp,
    startedAt: Timestamp.optional(),
    endedAt: Timestamp.optional(),
    results: z.array(JobResult),
  })
  .meta({ id: 'Job' });
export type Job = z.infer<typeof Job>;

export const JobDetail = Job.extend({
  steps: z.array(Step),
  command: z.string().describe('the equivalent command line'),
}).meta({ id: 'JobDetail' });
export type JobDetail = z.infer<typeof JobDetail>;

/** POST /plans/{name}/runs. */
export const RunInput = z
  .strictObject({
    kind: z
      .enum(['backup', 'check', 'verify', 'drill', 'forget', 'replicate'])
      .optional()
      .describe('default: as planned'),
    note: z.string().max(500).optional(),
  })
  .meta({ id: 'RunInput' });
export type RunInput = z.infer<typeof RunInput>;
