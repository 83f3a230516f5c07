import { spanMs, targetsOf } from '#contract';
import { describeSchedule, timetableOf } from '#schedule';
import type { Configuration } from './configuration.ts';

/** A plan in short, for a list. */
export interface PlanOutline {
  name: string;
  kind: 'backup' | 'replicate' | 'self';
  /** What it reads: sources, a repository or a location. */
  from: string[];
  to: string[];
  /** "Every day at 02:30 (Europe/Paris). …", "By hand.", or since when it rests. */
  schedule: string;
  /** The next five, as ISO times. */
  nextRuns: string[];
  objectiveMs: number | undefined;
}

/** What the plans of a configuration do, and when. */
export function outlineOf(configuration: Configuration, { nowMs }: { nowMs: number }): PlanOutline[] {
  const { zone } = configuration.settings;
  return Object.entries(configuration.plans).map(([name, plan]) => {
    const { kind, schedule, objective, pause } = plan;
    const restsUntilMs = pause ? Date.parse(pause.until ?? '') || Number.POSITIVE_INFINITY : nowMs;
    const isResting = restsUntilMs > nowMs;
    const isMirror = kind === 'replicate' && plan.mirror;
    const to = targetsOf(plan).map(({ repository }) => repository);
    const words = schedule ? describeSchedule(schedule, zone) : 'By hand.';
    const afterMs = Math.max(nowMs, restsUntilMs);
    const runs =
      schedule && Number.isFinite(afterMs)
        ? timetableOf(schedule, { zone, seed: name }).next(5, afterMs)
        : [];
    return {
      name,
      kind,
      from: sourcesOf(plan),
      to: isMirror ? [isMirror.to.location] : kind === 'self' && to.length === 0 ? ['every repository'] : to,
      schedule: isResting ? `Paused${pause?.until ? ` until ${pause.until}` : ''}. ${words}` : words,
      nextRuns: runs.map((timeMs) => new Date(timeMs).toISOString()),
      objectiveMs: objective === undefined ? undefined : spanMs(objective),
    };
  });
}

function sourcesOf(plan: Configuration['plans'][string]): string[] {
  if (plan.kind === 'backup') return plan.sources;
  if (plan.kind === 'self') return ['Holdfast itself'];
  return [plan.copy?.from ?? plan.mirror?.from.location ?? ''];
}
