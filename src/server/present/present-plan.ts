import type { Configured } from '#catalog';
import type { Overview, Plan, PlanSpec } from '#contract';
import { overviewSentence, type Records, statusOf } from '#plans';

export async function presentPlan(
  records: Records,
  plan: Configured<PlanSpec>,
  nowMs: number,
): Promise<Plan> {
  return {
    id: plan.id,
    name: plan.name,
    origin: plan.origin,
    spec: plan.spec,
    status: await statusOf(records, plan, nowMs),
    createdAt: plan.createdAt.toISOString(),
    updatedAt: plan.updatedAt.toISOString(),
    revision: plan.revision,
  };
}

/** One sentence first, the worst state wins. */
export async function overviewOf(plans: readonly Plan[], records: Records, nowMs: number): Promise<Overview> {
  const running = await records.jobs.list({ states: ['running'] }, { limit: 200 });
  const protectedSources = new Set(plans.flatMap(({ spec }) => (spec.kind === 'backup' ? spec.sources : [])));
  const sources = await records.sources.list();
  const newest = plans.flatMap(({ status }) =>
    status.newestSnapshotAt ? [Date.parse(status.newestSnapshotAt)] : [],
  );
  const proven = plans
    .flatMap(({ status }) => status.lastProvenAt ?? [])
    .sort()
    .at(-1);
  const next = plans.flatMap(({ status }) => status.nextRuns[0] ?? []).sort()[0];
  return {
    ...overviewSentence(plans),
    reasons: plans.flatMap(({ name, status }) =>
      status.reasons.map((reason) => ({ ...reason, message: `${name}: ${reason.message}` })),
    ),
    planCount: plans.length,
    runningJobCount: running.items.length,
    unprotectedSourceCount: sources.filter(({ name }) => !protectedSources.has(name)).length,
    ...(newest.length > 0 && { oldestSnapshotAgeSeconds: Math.max(0, (nowMs - Math.min(...newest)) / 1000) }),
    ...(proven && { lastProvenAt: proven }),
    ...(next && { nextRunAt: next }),
  };
}
