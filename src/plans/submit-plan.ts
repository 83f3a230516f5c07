import type { Configured, JobRecord, NewJob } from '#catalog';
import { type BackupPlan, type PlanSpec, type RepositorySpec, type SelfPlan, targetsOf } from '#contract';
import { WorkflowError } from '#workflows';
import type { BackupJobInput } from './backup-input.ts';
import type { Records } from './records.ts';
import type { SelfJobInput } from './self-job.ts';

/** Who or what wants a run, and when it was due. */
export type RunReason = Pick<NewJob, 'trigger' | 'requestedBy' | 'scheduledAt' | 'idempotencyKey'>;

/**
 * Makes the job of a plan's run: with all that the plan names, as it is now.
 * @throws CatalogError 'catalog.absent' when the plan names what is not there; WorkflowError 'workflows.unsupported'
 */
export async function jobOfPlan(
  records: Records,
  { name, spec }: Pick<Configured<PlanSpec>, 'name' | 'spec'>,
  reason: RunReason,
): Promise<NewJob> {
  assertSupported(spec);
  if (spec.kind === 'self') return jobOfSelf(records, { name, spec }, reason);
  const sources = await specsOf(records.sources, spec.sources);
  const repositories = await repositoriesOf(records, spec);
  const input: BackupJobInput = { plan: name, spec, sources, repositories };
  return {
    kind: 'backup',
    version: 1,
    input,
    plan: name,
    labels: spec.labels ?? {},
    // One run of a plan at a time, and one reader of a source.
    limits: [
      `plan:${name}`,
      ...Object.keys(sources).map((source) => `source:${source}`),
      ...Object.keys(repositories).map((repository) => `storage:${repository}`),
    ],
    ...reason,
  };
}

/** What the configuration can say and this version does not do is refused: passed over, it would look as if it were done. */
function assertSupported(spec: PlanSpec): asserts spec is BackupPlan | SelfPlan {
  const refuse = (what: string, hint: string): never => {
    throw new WorkflowError('workflows.unsupported', `this version does not carry out ${what}`, { hint });
  };
  if (spec.kind === 'replicate')
    refuse(
      'plans of the kind replicate',
      'Run `holdfast replicate` or `holdfast copy` from the system’s own scheduler.',
    );
  if (spec.hooks)
    refuse('hooks of plans', 'Take them out, and run such commands around `holdfast plan run`.');
  if (spec.kind !== 'backup') return;
  if (spec.consistencyGroup)
    refuse('consistency groups', 'Take the group out; each source is saved by itself.');
  if (spec.prove?.check === 'each-run')
    refuse('a check after each run', 'Give the check a schedule instead.');
  if (spec.prove?.drill?.commands)
    refuse('commands of a drill', 'Take them out; files and databases are compared.');
}

async function jobOfSelf(
  records: Records,
  { name, spec }: { name: string; spec: SelfPlan },
  reason: RunReason,
): Promise<NewJob> {
  const repositories = await repositoriesOf(records, spec);
  const input: SelfJobInput = { plan: name, spec, repositories };
  return {
    kind: 'self',
    version: 1,
    input,
    plan: name,
    labels: spec.labels ?? {},
    // One folder is written to.
    limits: ['self', `plan:${name}`, ...Object.keys(repositories).map((each) => `storage:${each}`)],
    ...reason,
  };
}

/** The repositories that a plan writes to; Holdfast itself goes into every one unless some are named. */
export async function repositoriesOf(
  records: Records,
  spec: PlanSpec,
): Promise<Record<string, RepositorySpec>> {
  const named = targetsOf(spec).map(({ repository }) => repository);
  if (spec.kind !== 'self' || named.length > 0) return specsOf(records.repositories, named);
  return Object.fromEntries((await records.repositories.list()).map((each) => [each.name, each.spec]));
}

export async function specsOf<Spec>(
  store: { get(name: string): Promise<Configured<Spec>> },
  names: readonly string[],
): Promise<Record<string, Spec>> {
  const found = await Promise.all(names.map((name) => store.get(name)));
  return Object.fromEntries(found.map(({ name, spec }) => [name, spec]));
}

const jobsPerStorage = 2;

/** How many jobs may hold a limit that `jobOfPlan` names. */
export function capacityOf(limit: string): number {
  return limit.startsWith('storage:') ? jobsPerStorage : 1;
}

const runKinds = ['backup', 'replicate', 'self'];

/** Whether a run of the plan waits or works already. A restore or a proof of it is none. */
export async function isUnderWay(records: Records, plan: string): Promise<JobRecord | undefined> {
  const filter = { plan, kinds: runKinds, states: ['queued', 'running'] } as const;
  const { items } = await records.jobs.list(filter, { limit: 1 });
  return items[0];
}
