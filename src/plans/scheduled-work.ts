import type { Configured, NewJob } from '#catalog';
import type { PlanSpec, RepositorySpec, Schedule } from '#contract';
import { isPausedAt } from './lateness.ts';
import type { Records } from './records.ts';
import { isUnderWay, jobOfPlan, type RunReason } from './submit-plan.ts';
import { jobOfProof, jobOfUpkeep, type ProofKind, proofUnderWay } from './submit-proof.ts';

/** Something that has times of its own. */
export interface ScheduledWork {
  /** Under which it is remembered what was done; stays when a plan is renamed. */
  key: string;
  /** For people, and what the jitter is made of. */
  name: string;
  schedule: Schedule;
  /** What counts from then on only. */
  since: Date;
  /** Its times pass, and nothing comes of them. */
  isPaused: boolean;
  /** Whether runs that nobody made are told. Of a check that is caught up nobody need know. */
  isMissedTold: boolean;
  job(reason: RunReason): Promise<NewJob>;
  isUnderWay(): Promise<boolean>;
}

/** A quiet hour of the week, spread over the repositories. */
const upkeepDefault: Record<'check' | 'prune', Schedule> = {
  check: { weekly: 'Sun 04:00', jitter: '2h' },
  prune: { weekly: 'Sun 06:00', jitter: '2h' },
};

/** All that runs by itself: plans, what proves their snapshots, the upkeep of repositories. */
export function scheduledWorkOf(
  records: Records,
  {
    plans,
    repositories,
    nowMs,
  }: {
    plans: readonly Configured<PlanSpec>[];
    repositories: readonly Configured<RepositorySpec>[];
    nowMs: number;
  },
): ScheduledWork[] {
  return [
    ...plans.flatMap((plan) => {
      const isPaused = isPausedAt(plan.spec, nowMs);
      return [...runsOf(records, plan), ...proofsOf(records, plan)].map((work) => ({ ...work, isPaused }));
    }),
    ...repositories.flatMap((repository) => upkeepOf(records, repository)),
  ];
}

type Unpaused = Omit<ScheduledWork, 'isPaused'>;

function runsOf(records: Records, plan: Configured<PlanSpec>): Unpaused[] {
  const { schedule } = plan.spec;
  if (!schedule) return [];
  return [
    {
      key: `plan ${plan.id}`,
      name: plan.name,
      schedule,
      since: plan.updatedAt,
      isMissedTold: true,
      job: (reason) => jobOfPlan(records, plan, reason),
      isUnderWay: async () => (await isUnderWay(records, plan.name)) !== undefined,
    },
  ];
}

function proofsOf(records: Records, plan: Configured<PlanSpec>): Unpaused[] {
  if (plan.spec.kind === 'replicate') return [];
  const { check, verify, drill } = plan.spec.prove ?? {};
  const schedules: Record<Exclude<ProofKind, 'forget'>, Schedule | undefined> = {
    check: check === 'each-run' ? undefined : check,
    verify: verify?.schedule,
    drill: drill?.schedule,
  };
  return Object.entries(schedules).flatMap(([name, schedule]) => {
    const kind = name as ProofKind;
    if (!schedule) return [];
    return {
      key: `${kind} ${plan.id}`,
      name: `${kind} of ${plan.name}`,
      schedule,
      since: plan.updatedAt,
      isMissedTold: false,
      job: (reason: RunReason) => jobOfProof(records, plan, kind, reason),
      isUnderWay: async () => (await proofUnderWay(records, { kind, plan: plan.name })) !== undefined,
    };
  });
}

function upkeepOf(records: Records, repository: Configured<RepositorySpec>): ScheduledWork[] {
  return (['check', 'prune'] as const).map((kind) => ({
    key: `${kind} repository ${repository.id}`,
    name: `${kind} of ${repository.name}`,
    schedule: repository.spec[kind] ?? upkeepDefault[kind],
    since: repository.createdAt,
    isPaused: false,
    isMissedTold: false,
    job: async (reason: RunReason) => jobOfUpkeep(repository, kind, reason),
    isUnderWay: async () =>
      (await proofUnderWay(records, { kind, repository: repository.name })) !== undefined,
  }));
}
