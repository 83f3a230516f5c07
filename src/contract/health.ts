import { z } from 'zod';
import { Reason } from './problem.ts';
import { Timestamp } from './time.ts';

/** GET /readyz: whether the server can do its work. */
export const Health = z
  .object({
    isReady: z.boolean(),
    version: z.string(),
    role: z.enum(['server', 'worker', 'all']),
    startedAt: Timestamp,
    checks: z.array(z.object({ name: z.string(), isWell: z.boolean(), reason: Reason.optional() })),
  })
  .meta({ id: 'Health' });
export type Health = z.infer<typeof Health>;

/** GET /overview: one sentence first, the worst state wins. */
export const Overview = z
  .object({
    state: z.enum(['proven', 'protected', 'running', 'waiting', 'attention', 'failing', 'empty']),
    sentence: z.string().describe('"A backup needs attention: …"'),
    reasons: z.array(Reason),
    planCount: z.int().min(0),
    runningJobCount: z.int().min(0),
    unprotectedSourceCount: z.int().min(0).optional(),
    oldestSnapshotAgeSeconds: z.number().min(0).optional(),
    lastProvenAt: Timestamp.optional(),
    usedBytes: z.number().min(0).optional(),
    nextRunAt: Timestamp.optional(),
  })
  .meta({ id: 'Overview' });
export type Overview = z.infer<typeof Overview>;
