import { z } from 'zod';
import { Hook } from './hook.ts';
import { KeepPolicy } from './keep-policy.ts';
import { Labels, Name } from './name.ts';
import { ProofSpec } from './proof.ts';
import { Schedule } from './schedule.ts';
import { StorageSpec } from './storage.ts';
import { Span, Timestamp } from './time.ts';

const shared = {
  description: z.string().max(500).optional(),
  labels: Labels.optional(),
  schedule: Schedule.optional().describe('without one, the plan runs by hand'),
  objective: Span.optional().describe(
    'how old the newest good snapshot may be; older is an alert, whatever failed or not',
  ),
  hooks: z.array(Hook).min(1).optional(),
  notify: z.array(Name).min(1).optional().describe('channels; default: all, as their routing says'),
  pause: z
    .strictObject({ until: Timestamp.optional(), reason: z.string().max(500).optional() })
    .optional()
    .describe('nothing starts by itself; without an end, until it is taken away'),
};

/** A repository that a plan writes to: its name, or its name and what is special there. */
export const PlanTarget = z
  .union([
    Name,
    z.strictObject({
      repository: Name,
      keep: KeepPolicy.optional().describe('instead of the plan’s'),
      required: z.boolean().optional().describe('default: true; false: a failure here is a warning'),
    }),
  ])
  .meta({ id: 'PlanTarget' });
export type PlanTarget = z.infer<typeof PlanTarget>;

const Keep = KeepPolicy.optional().describe(
  'retention in each repository that has none of its own; without it, all stays',
);

/** Sources into repositories: read once, written to each. */
export const BackupPlan = z
  .strictObject({
    ...shared,
    kind: z.literal('backup').default('backup'),
    sources: z.array(Name).min(1),
    repositories: z.array(PlanTarget).min(1),
    keep: Keep,
    prove: ProofSpec.optional(),
    consistencyGroup: z
      .strictObject({
        name: Name,
        skewMax: Span.optional().describe('more between the sources is a warning'),
      })
      .optional()
      .describe('all sources at one named point, restored together'),
    anomaly: z
      .enum(['hold', 'warn', 'ignore'])
      .optional()
      .describe('what 0 bytes, half, three times the usual or shrinking counts do; default: hold retention'),
  })
  .meta({ id: 'BackupPlan' });
export type BackupPlan = z.infer<typeof BackupPlan>;

/** Keeps a second place: the snapshots of a repository, or the files of any storage. */
export const ReplicatePlan = z
  .strictObject({
    ...shared,
    kind: z.literal('replicate'),
    copy: z
      .strictObject({
        from: Name,
        to: z.array(PlanTarget).min(1),
        sources: z.array(Name).min(1).optional().describe('only snapshots of these; default: all'),
      })
      .optional(),
    mirror: z
      .strictObject({
        from: StorageSpec,
        to: StorageSpec,
        deletes: z
          .strictObject({
            maxPercent: z
              .number()
              .gt(0)
              .max(100)
              .describe('of the files there; more, and nothing is touched'),
            trash: z.string().optional().describe('prefix where deleted files go first'),
          })
          .optional()
          .describe('without it, what the first no longer has stays in the second'),
        include: z.array(z.string()).min(1).optional(),
        exclude: z.array(z.string()).min(1).optional(),
        versions: z.boolean().optional().describe('older versions too'),
        verify: z.boolean().optional().describe('read back what was written'),
      })
      .optional(),
    keep: Keep,
  })
  .refine(({ copy, mirror }) => (copy === undefined) !== (mirror === undefined), 'give either copy or mirror')
  .meta({ id: 'ReplicatePlan' });
export type ReplicatePlan = z.infer<typeof ReplicatePlan>;

/** Holdfast itself: catalog, settings and sealed secrets, without the master key. */
export const SelfPlan = z
  .strictObject({
    ...shared,
    kind: z.literal('self'),
    repositories: z.array(PlanTarget).min(1).optional().describe('default: every repository there is'),
    keep: Keep,
    prove: ProofSpec.optional(),
  })
  .meta({ id: 'SelfPlan' });
export type SelfPlan = z.infer<typeof SelfPlan>;

/** What, where to, when, how long, how proven, whom to tell. The same in holdfast.yaml and in the API. */
export const PlanSpec = z
  .discriminatedUnion('kind', [BackupPlan, ReplicatePlan, SelfPlan])
  .meta({ id: 'PlanSpec' });
export type PlanSpec = z.infer<typeof PlanSpec>;

/** The repositories that a plan writes to, each with the retention that holds there. Of a self plan without a list: none. */
export function targetsOf(plan: PlanSpec): { repository: Name; keep?: KeepPolicy; isRequired: boolean }[] {
  const targets = plan.kind === 'replicate' ? plan.copy?.to : plan.repositories;
  return (targets ?? []).map((target) => {
    const own = typeof target === 'string' ? { repository: target } : target;
    const keep = own.keep ?? plan.keep;
    return { repository: own.repository, ...(keep && { keep }), isRequired: own.required ?? true };
  });
}
