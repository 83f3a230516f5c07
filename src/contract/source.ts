import { z } from 'zod';
import { Id, Name, Origin } from './name.ts';
import { Reason } from './problem.ts';
import { SourceSpec } from './source-spec.ts';
import { Timestamp } from './time.ts';

/** A configured source as the API shows it. */
export const Source = z
  .object({
    id: Id,
    name: Name,
    origin: Origin,
    spec: SourceSpec,
    plans: z.array(Name).describe('that protect it; none: it is not protected'),
    lastSnapshotAt: Timestamp.optional(),
    lastProvenAt: Timestamp.optional(),
    createdAt: Timestamp,
    updatedAt: Timestamp,
    revision: z.int().min(1),
  })
  .meta({ id: 'Source' });
export type Source = z.infer<typeof Source>;

/** Something on this host that could be protected. */
export const DiscoveredSource = z
  .object({
    kind: z.enum(['mongodb', 'redis', 'postgres', 'mysql', 'influxdb', 'application', 'site', 'folder']),
    title: z.string().describe('"MongoDB 7.0 on 127.0.0.1:27017"'),
    details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
    suggestion: z
      .object({ name: Name, spec: SourceSpec })
      .optional()
      .describe('what to protect, where we can'),
    protectedBy: z.array(Name),
    unreachable: Reason.optional(),
  })
  .meta({ id: 'DiscoveredSource' });
export type DiscoveredSource = z.infer<typeof DiscoveredSource>;
