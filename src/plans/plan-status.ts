import type { Configured, JobRecord, SnapshotRecord } from '#catalog';
import { type PlanSpec, type PlanStatus, type Reason, targetsOf } from '#contract';
import { timetableOf } from '#schedule';
import { parseLocation } from '#storage';
import { isPausedAt, lateSince } from './lateness.ts';
import { isProven } from './plan-retention.ts';
import type { Records } from './records.ts';

const recentCount = 30;
const nextRunCount = 5;
/** What a status looks back on, to find the newest snapshots and the last proof. */
const snapshotsLookedAt = 100;
const bad = new Set(['failed', 'partial', 'missed', 'interrupted']);

/** How a plan stands: the worst thing first. */
export async function statusOf(
  records: Records,
  plan: Configured<PlanSpec>,
  nowMs: number,
): Promise<PlanStatus> {
  const { items: jobs } = await records.jobs.list(
    { plan: plan.name, kinds: ['backup', 'replicate', 'self'] },
    { limit: recentCount },
  );
  const { items: snapshots } = await records.snapshots.list(
    { plan: plan.name },
    { limit: snapshotsLookedAt },
  );
  const ended = jobs.filter(({ endedAt }) => endedAt);
  const last = ended[0];
  const newest = snapshots[0];
  const proven = snapshots.find(isProven);
  const late = lateSince(plan, snapshots, nowMs);
  const drilled = snapshots.filter(isDrilled);
  const reasons = await reasonsOf(records, plan, { last, late });
  return {
    health: healthOf(plan, {
      jobs,
      last,
      newest,
      isProven: newest !== undefined && isProven(newest),
      isLate: late !== undefined,
      reasons,
      nowMs,
    }),
    reasons,
    ...(last && { lastJob: { id: last.id, state: last.state, endedAt: last.endedAt!.toISOString() } }),
    recent: jobs
      .map(({ id, state, createdAt }) => ({
        jobId: id,
        state,
        at: createdAt.toISOString(),
        isDrilled: drilled.some((snapshot) => snapshot.jobId === id),
      }))
      .reverse(),
    ...(newest && { newestSnapshotAt: newest.takenAt.toISOString() }),
    isLate: late !== undefined,
    ...(late && { lateSince: late.toISOString() }),
    missedCount: jobs.filter(({ state }) => state === 'missed').length,
    nextRuns: nextRunsOf(plan, nowMs),
    ...(proven && { lastProvenAt: provenAt(proven) }),
    ...(await restoreSecondsOf(records, plan.name)),
    targets: targetsOf(plan.spec).map(({ repository }) => {
      const there = snapshots.filter((each) => each.repository === repository);
      return {
        repository,
        ...(there[0] && { lastSuccessAt: there[0].takenAt.toISOString() }),
        snapshotCount: there.length,
      };
    }),
  };
}

function isDrilled({ badges }: SnapshotRecord): boolean {
  return badges.some(({ rung, state }) => rung === 'drilled' && state === 'proven');
}

/** As the last drill measured it. */
async function restoreSecondsOf(records: Records, plan: string): Promise<Pick<PlanStatus, 'restoreSeconds'>> {
  const { items } = await records.evidence.list({ subject: plan }, { limit: snapshotsLookedAt });
  const seconds = items.find(({ body }) => typeof body.restoreSeconds === 'number')?.body.restoreSeconds;
  return seconds === undefined ? {} : { restoreSeconds: seconds as number };
}

function nextRunsOf({ name, spec }: Configured<PlanSpec>, nowMs: number): string[] {
  if (!spec.schedule) return [];
  const times = timetableOf(spec.schedule, { seed: name }).next(nextRunCount, nowMs);
  return times.map((timeMs) => new Date(timeMs).toISOString());
}

interface Facts {
  jobs: readonly JobRecord[];
  last: JobRecord | undefined;
  newest: SnapshotRecord | undefined;
  isProven: boolean;
  isLate: boolean;
  reasons: readonly Reason[];
  nowMs: number;
}

function healthOf({ spec }: Configured<PlanSpec>, facts: Facts): PlanStatus['health'] {
  if (isPausedAt(spec, facts.nowMs)) return 'paused';
  if (facts.jobs.some(({ state }) => state === 'running')) return 'running';
  if (facts.last && bad.has(facts.last.state)) return 'failing';
  if (facts.isLate || facts.last?.state === 'warning') return 'attention';
  if (!facts.newest) return 'waiting';
  if (facts.reasons.length > 0) return 'attention';
  return facts.isProven ? 'proven' : 'protected';
}

async function reasonsOf(
  records: Records,
  { spec }: Configured<PlanSpec>,
  { last, late }: { last: JobRecord | undefined; late: Date | undefined },
): Promise<Reason[]> {
  const reasons: Reason[] = [];
  if (last && bad.has(last.state) && last.reason) reasons.push(last.reason);
  if (late)
    reasons.push({
      code: 'plan.late',
      message: `the newest snapshot is older than ${spec.objective}, which is the objective`,
      hint: 'Run the plan now, or look why its runs did not succeed.',
    });
  if (last?.state === 'warning' && last.reason) reasons.push(last.reason);
  if (await isOnlyHere(records, spec))
    reasons.push({
      code: 'plan.only-on-this-machine',
      message: 'its only copy lies on the machine that it protects',
      hint: 'Add a repository on another machine or in a bucket.',
    });
  return reasons;
}

/** Whether every copy goes where the machine itself is. */
async function isOnlyHere(records: Records, spec: PlanSpec): Promise<boolean> {
  const named = targetsOf(spec).map(({ repository }) => repository);
  const all = await records.repositories.list();
  // Holdfast itself goes into every repository unless some are named.
  const used = named.length > 0 ? all.filter(({ name }) => named.includes(name)) : all;
  return used.length > 0 && used.every((each) => parseLocation(each.spec.location).kind === 'local');
}

function provenAt({ badges }: SnapshotRecord): string {
  return badges
    .filter(({ rung, state }) => state === 'proven' && (rung === 'read-back' || rung === 'drilled'))
    .map(({ at }) => at)
    .sort()
    .at(-1)!;
}

/** One sentence for everything, the worst first. */
export function overviewSentence(plans: readonly { name: string; status: PlanStatus }[]): {
  state: 'proven' | 'protected' | 'running' | 'waiting' | 'attention' | 'failing' | 'empty';
  sentence: string;
} {
  if (plans.length === 0) return { state: 'empty', sentence: 'Nothing is protected yet.' };
  const worst = (health: PlanStatus['health']) => plans.filter(({ status }) => status.health === health);
  const failing = worst('failing');
  if (failing.length > 0)
    return {
      state: 'failing',
      sentence: `${listed(failing)} ${failing.length === 1 ? 'is' : 'are'} not backed up as planned.`,
    };
  const late = plans.filter(({ status }) => status.isLate);
  if (late.length > 0)
    return { state: 'attention', sentence: `A backup needs attention: ${listed(late)} is late.` };
  const attention = worst('attention');
  if (attention.length > 0)
    return { state: 'attention', sentence: `A backup needs attention: ${listed(attention)}.` };
  if (worst('running').length > 0)
    return { state: 'running', sentence: `${listed(worst('running'))} is being backed up.` };
  const waiting = worst('waiting');
  if (waiting.length > 0) return { state: 'waiting', sentence: `${listed(waiting)} has not run yet.` };
  const isProvenAll = plans.every(({ status }) => status.health === 'proven');
  return isProvenAll
    ? { state: 'proven', sentence: 'Everything is protected and proven.' }
    : { state: 'protected', sentence: 'Everything is protected; not all of it is proven.' };
}

function listed(plans: readonly { name: string }[]): string {
  const [first, ...more] = plans.map(({ name }) => name);
  return more.length === 0 ? first! : `${first} and ${more.length} more`;
}
