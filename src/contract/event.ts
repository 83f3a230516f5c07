import { z } from 'zod';
import { Id, Labels, Name } from './name.ts';
import { Timestamp } from './time.ts';

export const Severity = z.enum(['info', 'warning', 'error', 'critical']).meta({ id: 'Severity' });
export type Severity = z.infer<typeof Severity>;

/** A fact with a time, kept: what people are told of, and what the audit reads. */
export const Event = z
  .object({
    id: Id,
    at: Timestamp,
    type: z
      .string()
      .regex(/^[a-z-]+\.[a-z-]+$/)
      .describe(
        '`job.failed`, `plan.late`, `plan.recovered`, `storage.lost`, `retention.held`, `access.changed` …',
      ),
    severity: Severity,
    message: z.string(),
    hint: z.string().optional(),
    plan: Name.optional(),
    repository: Name.optional(),
    source: Name.optional(),
    jobId: Id.optional(),
    by: z.string().optional().describe('who did it'),
    labels: Labels,
  })
  .meta({ id: 'Event' });
export type Event = z.infer<typeof Event>;

/** One line of a job's log. */
export const LogLine = z
  .object({
    number: z.int().min(1).describe('within the job, without gaps'),
    at: Timestamp,
    level: z.enum(['debug', 'info', 'warning', 'error']),
    step: z.string().optional(),
    message: z.string(),
    hint: z.string().optional(),
    item: z.string().optional().describe('a path or a name'),
  })
  .meta({ id: 'LogLine' });
export type LogLine = z.infer<typeof LogLine>;
