import { type Schedule, spanMs } from '#contract';
import { Openings } from './openings.ts';
import { Rhythm } from './rhythm.ts';

/** What the passing of time asks for. */
export interface Due {
  /** The time of the schedule that this is about: to be kept as the last one, whatever the verdict. */
  slotMs: number;
  /**
   * 'run': it is time. 'catch-up': it was time, and nobody ran; one run makes up for all. 'report': the same, and
   * the schedule wants no catching up. 'wait': not before `startsAtMs`, because of a window, a blackout or jitter.
   */
  verdict: 'run' | 'catch-up' | 'report' | 'wait';
  startsAtMs: number;
  /** Runs whose time passed without one, this one too unless it is on time. Counted up to 1000. */
  missedCount: number;
}

/** A schedule as times. Every instance of one schedule, zone and seed gives the same. */
export interface Timetable {
  /** The first start later than a time. None: never again. */
  after(timeMs: number): number | undefined;
  /** The next starts later than a time; fewer where there are no more. */
  next(count: number, afterMs: number): number[];
  /**
   * What there is to do at `nowMs`.
   * @param lastMs slot of the last run, or when the plan was made. After the clock was put back it lies ahead of
   *   `nowMs`, and nothing is due until then: whoever sees that should put it back too.
   */
  due(times: { lastMs: number; nowMs: number }): Due | undefined;
}

export interface TimetableOptions {
  /** Of schedules that name none. Default: UTC. */
  zone?: string | undefined;
  /** What the jitter is made of, so that plans of one schedule start apart, and each always at the same time. */
  seed: string;
}

/** A start that is later than this was missed. Scheduler and queue have so long before it counts. */
const graceMs = 5 * 60_000;
/** No start in the last minute before a window closes. */
const closingMs = 60_000;
const missedMax = 1000;
/** Slots whose jitter has not passed yet: of a day, one each minute. */
const jitteredSlotsMax = 1440;

/** @throws ScheduleError 'schedule.cron' */
export function timetableOf(schedule: Schedule, options: TimetableOptions): Timetable {
  const zone = schedule.zone ?? options.zone ?? 'UTC';
  const rhythm = new Rhythm(schedule, zone);
  const openings = new Openings(schedule, zone);
  const jitterMs = jitterOf(schedule, options.seed);

  /** Later slots never start earlier: both steps keep the order. */
  function startOf(slotMs: number): number | undefined {
    const opening = openings.from(slotMs);
    if (opening === undefined) return undefined;
    return Math.max(opening.fromMs, Math.min(opening.fromMs + jitterMs, opening.toMs - closingMs));
  }

  /** The earliest known slot that starts later than a time: one that has begun and waits, or the next one. */
  function after(timeMs: number): number | undefined {
    const next = rhythm.after(timeMs);
    let start = next === undefined ? undefined : startOf(next);
    let slot = rhythm.atOrBefore(timeMs);
    for (let passed = 0; slot !== undefined && passed < jitteredSlotsMax; passed++) {
      const earlier = startOf(slot);
      if (earlier === undefined || earlier <= timeMs) break;
      // Older ones were put off to the same opening.
      if (slot <= timeMs - jitterMs && earlier === start) break;
      start = earlier;
      slot = rhythm.atOrBefore(slot - 1);
    }
    return start;
  }

  function next(count: number, afterMs: number): number[] {
    const starts: number[] = [];
    for (let start = after(afterMs); start !== undefined && starts.length < count; start = after(start))
      starts.push(start);
    return starts;
  }

  /** Different starts of the slots after one and before another. */
  function missedBetween(lastMs: number, slotMs: number): number {
    const starts = new Set<number>();
    const own = startOf(slotMs);
    let slot = rhythm.atOrBefore(slotMs - 1);
    for (let seen = 0; slot !== undefined && slot > lastMs && seen < missedMax; seen++) {
      const start = startOf(slot);
      if (start !== undefined && start !== own) starts.add(start);
      slot = rhythm.atOrBefore(slot - 1);
    }
    return starts.size;
  }

  function due({ lastMs, nowMs }: { lastMs: number; nowMs: number }): Due | undefined {
    let slot = rhythm.atOrBefore(nowMs);
    if (slot === undefined || slot <= lastMs) return undefined;
    const opening = openings.from(nowMs);
    if (opening === undefined) return undefined;
    const wait = (startsAtMs: number): Due => ({
      slotMs: slot!,
      verdict: 'wait',
      startsAtMs,
      missedCount: 0,
    });
    if (opening.fromMs > nowMs) return wait(Math.max(startOf(slot) ?? 0, opening.fromMs));
    let startsAtMs = startOf(slot) ?? opening.fromMs;
    while (startsAtMs > nowMs) {
      const isPutOff = slot <= nowMs - jitterMs;
      const earlier = rhythm.atOrBefore(slot - 1);
      if (isPutOff || earlier === undefined || earlier <= lastMs) return wait(startsAtMs);
      slot = earlier;
      startsAtMs = startOf(slot) ?? opening.fromMs;
    }
    const isMissed = nowMs - startsAtMs > graceMs;
    const missedCount = missedBetween(lastMs, slot) + (isMissed ? 1 : 0);
    if (!isMissed) return { slotMs: slot, verdict: 'run', startsAtMs, missedCount };
    const verdict = schedule.missed === 'report' ? 'report' : 'catch-up';
    return { slotMs: slot, verdict, startsAtMs, missedCount };
  }

  return { after, next, due };
}

/** A share of the jitter in whole seconds, from a hash of the seed (FNV-1a). */
function jitterOf({ jitter }: Schedule, seed: string): number {
  if (jitter === undefined) return 0;
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(seed)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  const seconds = Math.floor(spanMs(jitter) / 1000);
  return (hash % (seconds + 1)) * 1000;
}
