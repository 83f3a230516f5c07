import { z } from 'zod';
import { Name } from './name.ts';
import { Schedule } from './schedule.ts';
import { SecretUrl } from './secret.ts';
import { Timestamp } from './time.ts';

const EachRun = z.literal('each-run').describe('after each run that wrote a snapshot');

/** How a plan's snapshots are proven, rung by rung; what is absent is not done, but for reading back. */
export const ProofSpec = z
  .strictObject({
    check: z.union([EachRun, Schedule]).optional().describe('the structure of the repositories'),
    verify: z
      .strictObject({ percent: z.number().gt(0).max(100), schedule: Schedule })
      .optional()
      .describe('so much of the bytes is read and hashed again, another part each time'),
    readBack: z
      .union([EachRun, z.literal('never')])
      .optional()
      .describe('databases: parse the stored data again and compare; default: each-run'),
    drill: z
      .strictObject({
        schedule: Schedule,
        scratch: z
          .record(Name, SecretUrl)
          .optional()
          .describe('source → database to restore into; files go into a temporary folder'),
        commands: z
          .array(z.array(z.string()).min(1))
          .min(1)
          .optional()
          .describe('programs that look at what was restored; under the rule of commands'),
      })
      .optional()
      .describe('a real restore into a throw-away place, compared'),
  })
  .meta({ id: 'ProofSpec' });
export type ProofSpec = z.infer<typeof ProofSpec>;

/** The ladder, lowest first. */
export const Rung = z.enum(['stored', 'checked', 'verified', 'read-back', 'drilled']).meta({ id: 'Rung' });
export type Rung = z.infer<typeof Rung>;

/** When a snapshot reached a rung, or failed on it. */
export const Badge = z
  .object({
    rung: Rung,
    state: z.enum(['proven', 'failed']),
    at: Timestamp,
    jobId: z.string().optional().describe('the job whose evidence says so'),
    note: z.string().optional().describe('"5 % of the bytes", "restored in 4 min 12 s"'),
  })
  .meta({ id: 'Badge' });
export type Badge = z.infer<typeof Badge>;
