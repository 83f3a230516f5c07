import type { JobRecord, LogLine as Line, NumberedLine, StepRecord } from '#catalog';
import type { Job, JobDetail, JobProgress, JobResult, LogLine, Step } from '#contract';

/** Leaves out what is undefined: absent and undefined are the same in JSON, and not for our types. */
export function compact<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}

export function iso(date: Date | undefined): string | undefined {
  return date?.toISOString();
}

export function presentJob(job: JobRecord): Job {
  const parts = (job.result as { parts?: JobResult[] } | undefined)?.parts ?? [];
  return compact({
    id: job.id,
    kind: job.kind as Job['kind'],
    state: job.state,
    reason: job.reason,
    plan: job.plan,
    labels: job.labels,
    trigger: job.trigger as Job['trigger'],
    requestedBy: job.requestedBy,
    attempt: Math.max(job.attempt, 1),
    waitsFor: job.waitsFor,
    cancelRequestedAt: iso(job.cancelRequestedAt),
    worker: job.worker,
    progress: job.progress as JobProgress | undefined,
    scheduledAt: iso(job.scheduledAt),
    createdAt: job.createdAt.toISOString(),
    startedAt: iso(job.startedAt),
    endedAt: iso(job.endedAt),
    results: parts.map(presentResult),
  }) as Job;
}

function presentResult(part: JobResult): JobResult {
  const { repository, source, state, reason, snapshotId } = part;
  const { addedBytes, processedBytes, itemCount, counts, evidenceId } = part;
  return compact({
    ...{ repository, source, state, reason, snapshotId },
    ...{ addedBytes, processedBytes, itemCount, counts, evidenceId },
  });
}

export function presentJobDetail(job: JobRecord, steps: readonly StepRecord[]): JobDetail {
  return { ...presentJob(job), steps: steps.map(presentStep), command: commandOf(job) };
}

function presentStep(step: StepRecord): Step {
  return compact({
    name: step.name,
    state: step.state,
    reason: step.reason,
    attempt: Math.max(step.attempt, 1),
    startedAt: step.startedAt.toISOString(),
    endedAt: iso(step.endedAt),
  }) as Step;
}

function commandOf({ plan, kind }: JobRecord): string {
  return plan ? `holdfast plan run ${plan}` : `holdfast ${kind}`;
}

export function presentLine({ number, at, level, step, message, hint, item }: NumberedLine): LogLine {
  return compact({
    number,
    at: at.toISOString(),
    level: level as Line['level'],
    step,
    message,
    hint,
    item,
  }) as LogLine;
}
