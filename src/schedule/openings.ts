import type { Blackout, DayWindow, Schedule } from '#contract';
import { least, Pattern } from './pattern.ts';

/** A stretch of time, the end not in it. */
interface Stretch {
  fromMs: number;
  toMs: number;
}

/** Stretches that come again each week, or come once. */
interface Recurring {
  /** The stretch that a time lies in. */
  around(timeMs: number): Stretch | undefined;
  /** The first beginning later than a time. */
  nextBegin(timeMs: number): number | undefined;
}

/** Windows and blackouts that are passed in search of an opening: more than two years of nights. */
const stretchesMax = 1000;

/** When a schedule's runs may start: inside a window, where there are any, and in no blackout. */
export class Openings {
  readonly #windows: readonly Recurring[];
  readonly #blackouts: readonly Recurring[];

  constructor({ windows = [], blackouts = [] }: Schedule, zone: string) {
    this.#windows = windows.map((window) => weekly(window, zone));
    this.#blackouts = blackouts.map((blackout) => recurring(blackout, zone));
  }

  /** The first time not before this one at which a start is allowed, and how long it stays so. None: never. */
  from(timeMs: number): Stretch | undefined {
    let fromMs = timeMs;
    for (let passed = 0; passed < stretchesMax; passed++) {
      const blackout = latestEnd(this.#blackouts, fromMs);
      const window = this.#windows.length === 0 ? Number.POSITIVE_INFINITY : latestEnd(this.#windows, fromMs);
      if (blackout === undefined && window !== undefined)
        return { fromMs, toMs: Math.min(window, nextBegin(this.#blackouts, fromMs) ?? window) };
      const next = blackout ?? nextBegin(this.#windows, fromMs);
      if (next === undefined) return undefined;
      fromMs = next;
    }
    return undefined;
  }

  isOpen(timeMs: number): boolean {
    return this.from(timeMs)?.fromMs === timeMs;
  }
}

/** The latest end of those that a time lies in. */
function latestEnd(all: readonly Recurring[], timeMs: number): number | undefined {
  const ends = all.flatMap((one) => one.around(timeMs)?.toMs ?? []);
  return ends.length === 0 ? undefined : Math.max(...ends);
}

function nextBegin(all: readonly Recurring[], timeMs: number): number | undefined {
  return least(all.map((one) => one.nextBegin(timeMs)));
}

function recurring(blackout: Blackout, zone: string): Recurring {
  if (!isOnce(blackout)) return weekly(blackout, zone);
  const [fromMs, toMs] = [Date.parse(blackout.from), Date.parse(blackout.to)];
  return {
    around: (timeMs) => (fromMs <= timeMs && timeMs < toMs ? { fromMs, toMs } : undefined),
    nextBegin: (timeMs) => (timeMs < fromMs ? fromMs : undefined),
  };
}

function isOnce(blackout: Blackout): blackout is { from: string; to: string } {
  return blackout.from.includes('T');
}

/** From a time of day to the next time that a clock of the zone shows the end. */
function weekly({ days, from, to }: DayWindow, zone: string): Recurring {
  const begins = Pattern.daily(from, `* * ${days?.join(',') ?? '*'}`, zone);
  const ends = Pattern.daily(to, '* * *', zone);
  return {
    around(timeMs) {
      const fromMs = begins.atOrBefore(timeMs);
      const toMs = fromMs === undefined ? undefined : ends.after(fromMs);
      return fromMs !== undefined && toMs !== undefined && timeMs < toMs ? { fromMs, toMs } : undefined;
    },
    nextBegin: (timeMs) => begins.after(timeMs),
  };
}
