import type { Insertable, Selectable } from 'kysely';
import type { Tables } from '../database/schema.ts';
import { compact, dateOf, fromJson } from '../records.ts';
import type { JobId, JobRecord, JobState, NewJob, Reason, StepRecord } from './job.ts';

export function jobOf(row: Selectable<Tables['jobs']>): JobRecord {
  return compact({
    id: row.id as JobId,
    kind: row.kind,
    version: row.version,
    input: JSON.parse(row.input) as unknown,
    plan: row.plan ?? undefined,
    labels: JSON.parse(row.labels) as Record<string, string>,
    trigger: row.trigger_kind,
    requestedBy: row.requested_by ?? undefined,
    limits: JSON.parse(row.limits) as string[],
    state: row.state as JobState,
    reason: fromJson<Reason>(row.reason),
    attempt: row.attempt,
    worker: row.worker ?? undefined,
    cancelRequestedAt: dateOf(row.cancel_requested_at),
    waitsFor: row.waits_for ?? undefined,
    progress: fromJson<unknown>(row.progress),
    result: fromJson<unknown>(row.result),
    idempotencyKey: row.idempotency_key ?? undefined,
    scheduledAt: dateOf(row.scheduled_at),
    createdAt: new Date(row.created_at),
    startedAt: dateOf(row.started_at),
    endedAt: dateOf(row.ended_at),
  }) as JobRecord;
}

export function newRowOf(
  job: NewJob,
  { id, nowMs }: { id: string; nowMs: number },
): Insertable<Tables['jobs']> {
  return {
    id,
    kind: job.kind,
    version: job.version,
    plan: job.plan ?? null,
    input: JSON.stringify(job.input),
    labels: JSON.stringify(job.labels ?? {}),
    trigger_kind: job.trigger,
    requested_by: job.requestedBy ?? null,
    limits: JSON.stringify(job.limits),
    state: 'queued',
    reason: null,
    attempt: 0,
    generation: 0,
    run_id: null,
    worker: null,
    heartbeat_at: null,
    cancel_requested_at: null,
    cancelled_by: null,
    dispatched_at: null,
    waits_for: null,
    progress: null,
    result: null,
    scheduled_at: job.scheduledAt?.getTime() ?? null,
    created_at: nowMs,
    started_at: null,
    ended_at: null,
    idempotency_key: job.idempotencyKey ?? null,
  };
}

export function stepOf(row: Selectable<Tables['job_steps']>): StepRecord {
  return compact({
    name: row.name,
    state: row.state as JobState,
    reason: fromJson<Reason>(row.reason),
    attempt: row.attempt,
    startedAt: new Date(row.started_at),
    endedAt: dateOf(row.ended_at),
  }) as StepRecord;
}
