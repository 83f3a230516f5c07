import type { Configured, JobRecord, NewJob } from '#catalog';
import type { BackupPlan, PlanSpec, RepositorySpec, SelfPlan } from '#contract';
import type { CheckJobInput } from './check-job.ts';
import type { DrillJobInput } from './drill-job.ts';
import { PlanError } from './errors.ts';
import type { ForgetJobInput } from './forget-job.ts';
import type { PruneJobInput } from './prune-job.ts';
import type { Records } from './records.ts';
import { type RunReason, repositoriesOf, specsOf } from './submit-plan.ts';

/** What is done with the snapshots of a plan beside its own runs: what proves them, and its retention. */
export type ProofKind = 'check' | 'verify' | 'drill' | 'forget';

/** Of the bytes, when somebody asks for a verify and the plan says nothing. */
const verifyPercentDefault = 100;

/**
 * Makes the job that proves a plan's snapshots, one rung of the ladder.
 * @throws PlanError 'plans.proof' for a plan whose snapshots are not its own
 */
export async function jobOfProof(
  records: Records,
  { name, spec }: Pick<Configured<PlanSpec>, 'name' | 'spec'>,
  kind: ProofKind,
  reason: RunReason,
): Promise<NewJob> {
  const repositories = await repositoriesOf(records, spec);
  const common = { version: 1, plan: name, labels: spec.labels ?? {}, ...reason };
  if (kind === 'drill') {
    const plan = { name, spec };
    assertOwnSnapshots(plan);
    const kinds = await sourceKindsOf(records, plan.spec);
    const input: DrillJobInput = { plan: name, spec: plan.spec, kinds, repositories };
    const limits = [`drill:${name}`, ...sharedLimits(repositories)];
    return { ...common, kind, input, limits };
  }
  if (kind === 'forget') {
    const plan = { name, spec };
    assertOwnSnapshots(plan);
    const input: ForgetJobInput = { plan: name, spec: plan.spec, repositories };
    return { ...common, kind, input, limits: [`plan:${name}`, ...sharedLimits(repositories)] };
  }
  const percent = spec.kind === 'replicate' ? undefined : spec.prove?.verify?.percent;
  const input: CheckJobInput = {
    repositories,
    ...(kind === 'verify' && { percent: percent ?? verifyPercentDefault }),
  };
  return { ...common, kind, input, limits: soleLimits(Object.keys(repositories)) };
}

type Own = { name: string; spec: BackupPlan | SelfPlan };

function assertOwnSnapshots(plan: { name: string; spec: PlanSpec }): asserts plan is Own {
  if (plan.spec.kind === 'replicate')
    throw new PlanError('plans.proof', `${plan.name} makes no snapshots of its own`, {
      hint: 'Ask it of the plan that makes them.',
    });
}

async function sourceKindsOf(records: Records, spec: BackupPlan | SelfPlan): Promise<Record<string, string>> {
  if (spec.kind === 'self') return { holdfast: 'files' };
  const sources = await specsOf(records.sources, spec.sources);
  return Object.fromEntries(Object.entries(sources).map(([source, { kind }]) => [source, kind]));
}

/** The work that a repository needs from time to time, whoever writes to it. */
export function jobOfUpkeep(
  { name, spec }: Pick<Configured<RepositorySpec>, 'name' | 'spec'>,
  kind: 'check' | 'prune',
  reason: RunReason,
): NewJob {
  const check: CheckJobInput = { repositories: { [name]: spec } };
  const prune: PruneJobInput = { repository: name, spec };
  const input = kind === 'check' ? check : prune;
  return { kind, version: 1, input, labels: spec.labels ?? {}, limits: soleLimits([name]), ...reason };
}

function sharedLimits(repositories: Record<string, RepositorySpec>): string[] {
  return Object.keys(repositories).map((repository) => `storage:${repository}`);
}

/** They lock the repository for themselves: others wait in the queue, not at the lock. */
function soleLimits(repositories: readonly string[]): string[] {
  return repositories.map((repository) => `storage:${repository}!`);
}

/** A job of this kind that waits or works already, of a plan or of a repository. */
export async function proofUnderWay(
  records: Records,
  { kind, plan, repository }: { kind: string; plan?: string; repository?: string },
): Promise<JobRecord | undefined> {
  const states = ['queued', 'running'] as const;
  const { items } = await records.jobs.list({ plan, kinds: [kind], states }, { limit: 200 });
  if (repository === undefined) return items[0];
  return items.find(({ limits }) => limits.includes(`storage:${repository}!`));
}
