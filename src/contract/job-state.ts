import { z } from 'zod';

/** States of a job: one list for API, dashboard, command line, metrics and notifications. */
export const JobState = z
  .enum([
    'queued',
    'running',
    'succeeded',
    'warning',
    'partial',
    'failed',
    'missed',
    'interrupted',
    'cancelled',
  ])
  .meta({ id: 'JobState' });
export type JobState = z.infer<typeof JobState>;

/** Whether nothing comes after this state. */
export function isFinal(state: JobState): boolean {
  return state !== 'queued' && state !== 'running';
}
