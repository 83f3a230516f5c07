import { z } from 'zod';
import { Severity } from './event.ts';
import { Id, Name } from './name.ts';
import { Timestamp } from './time.ts';

/** An advice with its evidence and a remedy. */
export const Finding = z
  .object({
    id: Id,
    code: z.string().describe('stable: `plan.only-on-this-machine`'),
    severity: Severity,
    title: z.string(),
    message: z.string(),
    evidence: z.array(z.object({ label: z.string(), value: z.string() })),
    remedy: z.string().describe('what to do'),
    plan: Name.optional(),
    repository: Name.optional(),
    source: Name.optional(),
    firstSeenAt: Timestamp,
    lastSeenAt: Timestamp,
    dismissedAt: Timestamp.optional(),
    dismissedBy: z.string().optional(),
  })
  .meta({ id: 'Finding' });
export type Finding = z.infer<typeof Finding>;
