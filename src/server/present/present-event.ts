import type { EventRecord } from '#catalog';
import type { Event } from '#contract';
import { compact } from './present-job.ts';

export function presentEvent({ number, at, type, severity, message, plan, facts = {} }: EventRecord): Event {
  const { jobId, reason, by } = facts as { jobId?: string; reason?: { hint?: string }; by?: string };
  return compact({
    id: `${number}`,
    at: at.toISOString(),
    type,
    severity,
    message,
    hint: reason?.hint,
    plan,
    jobId,
    by,
    labels: {},
  }) as Event;
}
