import { z } from 'zod';
import { Id, Name } from './name.ts';
import { Rung } from './proof.ts';
import { SnapshotId } from './snapshot.ts';
import { Timestamp } from './time.ts';

/** Where an entry stands in a chain in which each seals those before it. */
const chained = {
  number: z.int().min(1).describe('within the chain, without gaps'),
  id: Id,
  at: Timestamp,
  hash: z.string().describe('SHA-256 over this entry and the hash before it, in hex'),
};

/** What proved a snapshot, or failed to. */
export const Evidence = z
  .object({
    ...chained,
    rung: Rung,
    state: z.enum(['proven', 'failed']),
    snapshotId: SnapshotId,
    repository: Name,
    plan: Name.optional(),
    source: Name.optional(),
    jobId: Id,
    restoreSeconds: z.number().min(0).optional().describe('measured by a drill'),
    comparisons: z
      .array(z.object({ what: z.string(), expected: z.string(), found: z.string(), isEqual: z.boolean() }))
      .describe('counts, sizes, hashes, versions'),
    note: z.string().optional(),
  })
  .meta({ id: 'Evidence' });
export type Evidence = z.infer<typeof Evidence>;

/** Who did what. */
export const AuditEntry = z
  .object({
    ...chained,
    by: z.string().describe('a person’s name, a token’s, or holdfast'),
    action: z.string().describe('`plan.changed`, `user.signed-in`, `snapshot.pinned` …'),
    subject: z.string().optional().describe('to whom or what'),
    address: z.string().optional().describe('where the request came from'),
    details: z.record(z.string(), z.unknown()).describe('never a secret'),
  })
  .meta({ id: 'AuditEntry' });
export type AuditEntry = z.infer<typeof AuditEntry>;
