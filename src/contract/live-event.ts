import { z } from 'zod';
import { Event, LogLine } from './event.ts';
import { Job, JobProgress, Step } from './job.ts';
import { Id } from './name.ts';
import { Fault } from './problem.ts';
import { Timestamp } from './time.ts';

/**
 * What /events sends. `id:` of the stream is a cursor: who comes back with it as Last-Event-ID misses nothing, or is
 * told by `reset` to load again.
 */
export const LiveEvent = z
  .discriminatedUnion('type', [
    z.object({ type: z.literal('job'), job: Job }),
    z.object({ type: z.literal('progress'), jobId: Id, progress: JobProgress }),
    z.object({ type: z.literal('step'), jobId: Id, step: Step }),
    z.object({ type: z.literal('log'), jobId: Id, line: LogLine }),
    z.object({ type: z.literal('event'), event: Event }),
    z.object({
      type: z.literal('changed').describe('load it again'),
      noun: z.enum([
        'plan',
        'source',
        'repository',
        'channel',
        'snapshot',
        'settings',
        'user',
        'token',
        'finding',
        'activity',
        'job-log',
      ]),
      name: z.string().optional().describe('name or id; absent: several'),
    }),
    z.object({
      type: z.literal('config').describe('holdfast.yaml was read'),
      file: z.string(),
      isTaken: z.boolean().describe('false: the configuration before it still holds'),
      faults: z.array(Fault),
    }),
    z.object({ type: z.literal('hello'), at: Timestamp, version: z.string() }),
    z.object({ type: z.literal('reset'), at: Timestamp }),
  ])
  .meta({ id: 'LiveEvent' });
export type LiveEvent = z.infer<typeof LiveEvent>;
