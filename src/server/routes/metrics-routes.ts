import type { Configured, JobRecord } from '#catalog';
import { JobState, type PlanSpec, type RepositoryStatus } from '#contract';
import { statusOf } from '#plans';
import type { ServerContext } from '../context.ts';
import type { App } from './app-type.ts';

const jobsLookedAt = 30;

/** What Prometheus reads (text format 0.0.4). */
export function metricsRoutes(app: App, context: ServerContext): void {
  app.get('/metrics', { config: { needs: 'metrics' } }, async (_, reply) =>
    reply.type('text/plain; version=0.0.4; charset=utf-8').send(await metricsOf(context)),
  );
}

type Labels = Record<string, string>;

interface Metric {
  name: string;
  help: string;
  samples: { labels: Labels; value: number }[];
}

async function metricsOf(context: ServerContext): Promise<string> {
  const { records, clock, version, startedAt } = context;
  const running = await records.jobs.list({ states: ['running'] }, { limit: 1000 });
  const queued = await records.jobs.list({ states: ['queued'] }, { limit: 1000 });
  const metrics: Metric[] = [
    one('holdfast_info', 'The version that runs.', { labels: { version }, value: 1 }),
    one('holdfast_start_time_seconds', 'When the server was started.', {
      labels: {},
      value: startedAt.getTime() / 1000,
    }),
    {
      name: 'holdfast_jobs',
      help: 'Jobs that wait or run, 1000 at most.',
      samples: [
        { labels: { state: 'running' }, value: running.items.length },
        { labels: { state: 'queued' }, value: queued.items.length },
      ],
    },
  ];
  const plans = await records.plans.list();
  const lines = await Promise.all(plans.map((plan) => planSamples(context, plan, clock.nowMs())));
  for (const [name, help] of Object.entries(planHelp)) {
    const samples = lines.flatMap((line) =>
      line.filter((sample) => sample.name === name).map(({ labels, value }) => ({ labels, value })),
    );
    metrics.push({ name, help, samples });
  }
  metrics.push(await usedBytes(context));
  return `${metrics.map(textOf).join('\n')}\n`;
}

const planHelp = {
  holdfast_plan_newest_snapshot_timestamp_seconds: 'When the newest snapshot of a plan was taken.',
  holdfast_plan_newest_snapshot_age_seconds: 'How old the newest snapshot of a plan is.',
  holdfast_plan_last_proven_timestamp_seconds: 'When a snapshot of a plan was last read back or drilled.',
  holdfast_plan_late: '1 when the newest snapshot is older than the objective.',
  holdfast_plan_missed_runs: 'Runs that nobody made, of those that are looked at.',
  holdfast_plan_last_job_state: '1 for the state in which the last run ended, 0 for all others.',
  holdfast_plan_last_success_timestamp_seconds: 'When a run of a plan last succeeded.',
  holdfast_plan_last_success_duration_seconds: 'How long that run took.',
  holdfast_plan_last_success_size_bytes: 'How much that run read.',
} as const;

interface Sample {
  name: keyof typeof planHelp;
  labels: Labels;
  value: number;
}

async function planSamples(
  { records }: ServerContext,
  plan: Configured<PlanSpec>,
  nowMs: number,
): Promise<Sample[]> {
  const status = await statusOf(records, plan, nowMs);
  const kinds = [plan.spec.kind];
  const { items } = await records.jobs.list(
    { plan: plan.name, kinds, states: ['succeeded', 'warning'] },
    { limit: jobsLookedAt },
  );
  const good = items.find(({ endedAt }) => endedAt);
  const of = (name: Sample['name'], value: number, more: Labels = {}): Sample => ({
    name,
    labels: { plan: plan.name, kind: plan.spec.kind, ...more },
    value,
  });
  const seconds = (time: string): number => Date.parse(time) / 1000;
  const { newestSnapshotAt: newest, lastProvenAt, lastJob } = status;
  return [
    ...(newest
      ? [
          of('holdfast_plan_newest_snapshot_timestamp_seconds', seconds(newest)),
          of('holdfast_plan_newest_snapshot_age_seconds', nowMs / 1000 - seconds(newest)),
        ]
      : []),
    ...(lastProvenAt ? [of('holdfast_plan_last_proven_timestamp_seconds', seconds(lastProvenAt))] : []),
    of('holdfast_plan_late', Number(status.isLate)),
    of('holdfast_plan_missed_runs', status.missedCount),
    ...(lastJob
      ? JobState.options.map((state) =>
          of('holdfast_plan_last_job_state', Number(state === lastJob.state), { state }),
        )
      : []),
    ...(good
      ? [
          of('holdfast_plan_last_success_timestamp_seconds', good.endedAt!.getTime() / 1000),
          of('holdfast_plan_last_success_duration_seconds', durationSeconds(good)),
          of('holdfast_plan_last_success_size_bytes', readBytes(good)),
        ]
      : []),
  ];
}

function durationSeconds({ startedAt, createdAt, endedAt }: JobRecord): number {
  return (endedAt!.getTime() - (startedAt ?? createdAt).getTime()) / 1000;
}

/** What was read from sources; what was copied on from there is not counted again. */
function readBytes({ result }: JobRecord): number {
  const { parts = [] } = (result ?? {}) as { parts?: { processedBytes?: number }[] };
  return parts.reduce((sum, part) => sum + (part.processedBytes ?? 0), 0);
}

async function usedBytes({ records }: ServerContext): Promise<Metric> {
  const samples = [];
  for (const { name } of await records.repositories.list()) {
    const seen = await records.settings.find<RepositoryStatus>(`repository.${name}`);
    if (seen?.usedBytes !== undefined) samples.push({ labels: { repository: name }, value: seen.usedBytes });
  }
  return {
    name: 'holdfast_repository_used_bytes',
    help: 'Bytes in a repository, as seen last.',
    samples,
  };
}

function one(name: string, help: string, sample: Metric['samples'][number]): Metric {
  return { name, help, samples: [sample] };
}

/** https://prometheus.io/docs/instrumenting/exposition_formats */
function textOf({ name, help, samples }: Metric): string {
  const quoted = (text: string): string =>
    text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
  const lines = samples.map(({ labels, value }) => {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${quoted(text)}"`);
    return `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}`;
  });
  return [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, ...lines].join('\n');
}
