import type { Configured, SnapshotRecord } from '#catalog';
import type { PlanSpec } from '#contract';
import { latenessOf } from '#schedule';
import type { Records } from './records.ts';

/** Whether nothing of a plan is to start by itself. */
export function isPausedAt({ pause }: PlanSpec, nowMs: number): boolean {
  return pause !== undefined && (!pause.until || Date.parse(pause.until) > nowMs);
}

/** How far back a good snapshot is looked for. */
const lookedAtMax = 100;

/** Whether all of it was there; of what another program made, nobody knows, and it counts. */
function isGood({ facts }: Pick<SnapshotRecord, 'facts'>): boolean {
  return facts.state === undefined || facts.state === 'succeeded' || facts.state === 'warning';
}

/** Since when a plan's newest good snapshot is older than its objective; undefined when it is not. */
export function lateSince(
  { spec, createdAt }: Configured<PlanSpec>,
  snapshots: readonly SnapshotRecord[],
  nowMs: number,
): Date | undefined {
  if (!spec.objective) return undefined;
  const newest = snapshots.find(isGood);
  const times = { newestMs: newest?.takenAt.getTime(), plannedMs: createdAt.getTime(), nowMs };
  const { isLate, deadlineMs } = latenessOf(spec.objective, times);
  return isLate ? new Date(deadlineMs) : undefined;
}

/** Raises `plan.late` when a plan becomes late, whatever failed or not, and `plan.recovered` when it no longer is: once each. */
export async function tellLateness(
  records: Records,
  plan: Configured<PlanSpec>,
  nowMs: number,
): Promise<void> {
  const { name, spec } = plan;
  if (!spec.objective || isPausedAt(spec, nowMs)) return;
  const { items } = await records.snapshots.list({ plan: name }, { limit: lookedAtMax });
  const since = lateSince(plan, items, nowMs);
  const setting = `late.${plan.id}`;
  const told = await records.settings.find<string | null>(setting);
  if ((since !== undefined) === Boolean(told)) return;
  // Of several servers, one tells.
  const isOurs = await records.settings.swap(setting, { from: told, to: since?.toISOString() ?? null });
  if (!isOurs) return;
  await records.journal.add(
    since
      ? {
          type: 'plan.late',
          severity: 'error',
          message: `${name} is late: its newest good snapshot is older than ${spec.objective}`,
          plan: name,
          facts: { since, hint: 'Run the plan now, or look why its runs did not succeed.' },
        }
      : {
          type: 'plan.recovered',
          severity: 'info',
          message: `${name} is as new as it should be again`,
          plan: name,
          facts: { since: told },
        },
  );
}
