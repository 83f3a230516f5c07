import { z } from 'zod';
import type { JobVerdict } from '#catalog';
import { BackupPlan, Name, RepositorySpec, SelfPlan, targetsOf } from '#contract';
import type { JobKind } from '#jobs';
import { PlanError } from './errors.ts';
import { type PartResult, verdictOf } from './part-result.ts';
import { retain } from './retain.ts';
import type { WorkContext } from './work-context.ts';

export const ForgetJobInput = z.object({
  plan: Name,
  spec: z.discriminatedUnion('kind', [BackupPlan, SelfPlan]),
  repositories: z.record(Name, RepositorySpec),
});
export type ForgetJobInput = z.infer<typeof ForgetJobInput>;

/** Applies a plan's retention without a run before it; what the last run was still counts. */
export function forgetJob(context: WorkContext): JobKind<ForgetJobInput> {
  return {
    name: 'forget',
    version: 1,
    parse: (input) => ForgetJobInput.parse(input),
    async run(execution, { plan, spec, repositories }): Promise<JobVerdict> {
      await assertGoodRun(context, plan);
      const targets = targetsOf(spec);
      const anomaly = spec.kind === 'self' ? 'ignore' : (spec.anomaly ?? 'hold');
      const results: PartResult[] = [];
      await retain(execution, context, { plan, targets, repositories, anomaly, results });
      return verdictOf(results);
    },
  };
}

/** @throws PlanError 'plans.last-run' */
async function assertGoodRun({ records }: WorkContext, plan: string): Promise<void> {
  const filter = { plan, kinds: ['backup', 'self'] };
  const { items } = await records.jobs.list(filter, { limit: 10 });
  const last = items.find(({ endedAt, state }) => endedAt && state !== 'cancelled');
  if (last?.state === 'succeeded' || last?.state === 'warning') return;
  throw new PlanError('plans.last-run', `nothing is forgotten: the last run of ${plan} did not succeed`, {
    hint: 'Run the plan; retention follows a good run by itself.',
  });
}
