import { formatSize } from '#base';
import type { EventRecord, JobId, JobRecord } from '#catalog';
import type { Figure, Notification } from '#notify';
import type { PartResult } from './part-result.ts';
import type { Records } from './records.ts';

export interface TellingOptions {
  /** The machine that tells it. */
  host: string;
  /** Where the dashboard is. */
  url: string;
}

/** Jobs that say what is usual. */
const usualCount = 10;

/** What people are told of an event of the journal. */
export async function notificationOf(
  records: Records,
  event: EventRecord,
  { host, url }: TellingOptions,
): Promise<Notification> {
  const { type, severity, message, at, plan, facts = {} } = event;
  const { jobId, kind, reason, hint } = facts as EventFacts;
  const job = jobId === undefined ? undefined : await records.jobs.get(jobId);
  const subject = subjectOf(event, facts);
  const nextStep = reason?.hint ?? hint;
  return {
    type,
    severity,
    state: type.slice(type.indexOf('.') + 1),
    subject,
    message,
    since: at,
    at,
    figures: job ? await figuresOf(records, job) : [],
    link: job ? `${url}/jobs/${job.id}` : plan ? `${url}/plans/${plan}` : url,
    ...(nextStep && { nextStep }),
    host,
    labels: await labelsOf(records, plan, job),
    dedupeKey: `${subject.kind}:${subject.name}:${kind ?? troubleOf(type)}`,
    ...(jobId && { jobId }),
  };
}

interface EventFacts {
  jobId?: JobId;
  kind?: string;
  reason?: { hint?: string };
  hint?: string;
  repository?: string;
}

function subjectOf(
  { plan }: EventRecord,
  { kind, repository }: Pick<EventFacts, 'kind' | 'repository'>,
): Notification['subject'] {
  if (plan) return { kind: 'plan', name: plan };
  if (repository) return { kind: 'repository', name: repository };
  return { kind: 'job', name: kind ?? 'holdfast' };
}

/** Both ends of a trouble have one name: being late, and not any more. */
function troubleOf(type: string): string {
  return type === 'plan.recovered' ? 'plan.late' : type;
}

async function labelsOf(
  records: Records,
  plan: string | undefined,
  job: JobRecord | undefined,
): Promise<Record<string, string>> {
  if (job) return job.labels;
  return (plan && (await records.plans.find(plan))?.spec.labels) || {};
}

/** What is usual, and what is now. */
async function figuresOf(records: Records, job: JobRecord): Promise<Figure[]> {
  const { plan, kind } = job;
  const usual = plan
    ? (await records.jobs.list({ plan, kinds: [kind], states: ['succeeded'] }, { limit: usualCount + 1 }))
        .items
    : [];
  const before = usual.filter(({ id }) => id !== job.id).slice(0, usualCount);
  return [
    figureOf('Size', job, before, { amountOf: bytesOf, textOf: formatSize }),
    figureOf('Duration', job, before, {
      amountOf: secondsOf,
      textOf: (seconds) => `${seconds.toFixed(0)} s`,
    }),
  ].filter(({ now, usual: known }) => now !== undefined || known !== undefined);
}

function figureOf(
  name: string,
  job: JobRecord,
  before: readonly JobRecord[],
  { amountOf, textOf }: { amountOf(job: JobRecord): number | undefined; textOf(value: number): string },
): Figure {
  const now = amountOf(job);
  const values = before.flatMap((each) => amountOf(each) ?? []).toSorted((one, other) => one - other);
  const usual = values[Math.floor(values.length / 2)];
  return {
    name,
    ...(usual !== undefined && { usual: textOf(usual) }),
    ...(now !== undefined && { now: textOf(now) }),
  };
}

function bytesOf({ result }: JobRecord): number | undefined {
  const parts = (result as { parts?: PartResult[] } | undefined)?.parts ?? [];
  const sizes = parts.flatMap(({ processedBytes }) => processedBytes ?? []);
  return sizes.length === 0 ? undefined : sizes.reduce((sum, size) => sum + size, 0);
}

function secondsOf({ startedAt, endedAt }: JobRecord): number | undefined {
  return startedAt && endedAt && (endedAt.getTime() - startedAt.getTime()) / 1000;
}
