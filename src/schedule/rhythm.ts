import { type Schedule, spanMs } from '#contract';
import { greatest, least, Pattern } from './pattern.ts';

const minuteMs = 60_000;
const hourMs = 3_600_000;

/** The slots of a schedule: the times at which it says that something runs, before windows and jitter. */
export class Rhythm {
  /** Each time of day is a pattern of its own, so that none is lost when clocks go forward. */
  readonly #patterns: readonly Pattern[];

  /** @throws ScheduleError 'schedule.cron' */
  constructor(schedule: Schedule, zone: string) {
    this.#patterns = patternsOf(schedule, zone);
  }

  /** The first slot later than a time. */
  after(timeMs: number): number | undefined {
    return least(this.#patterns.map((pattern) => pattern.after(timeMs)));
  }

  /** The last slot that is not later than a time. */
  atOrBefore(timeMs: number): number | undefined {
    return greatest(this.#patterns.map((pattern) => pattern.atOrBefore(timeMs)));
  }
}

function patternsOf({ every, hourly, daily, weekly, monthly, cron }: Schedule, zone: string): Pattern[] {
  if (every !== undefined) return [new Pattern(everyFields(spanMs(every)), zone)];
  if (hourly !== undefined) return [new Pattern(`${hourly} * * * *`, zone)];
  if (daily !== undefined) return listOf(daily).map((time) => Pattern.daily(time, '* * *', zone));
  if (weekly !== undefined)
    return listOf(weekly).map((text) => {
      const [day, time] = text.split(' ');
      return Pattern.daily(time!, `* * ${day}`, zone);
    });
  if (monthly !== undefined)
    return listOf(monthly).map((text) => {
      const [day, time] = text.split(' ');
      return Pattern.daily(time!, `${day === 'last' ? 'L' : day} * *`, zone);
    });
  return listOf(cron ?? []).map((fields) => new Pattern(fields, zone));
}

/** The schema has made sure that it divides an hour, or a day. */
function everyFields(ms: number): string {
  return ms < hourMs ? `*/${ms / minuteMs} * * * *` : `0 */${ms / hourMs} * * *`;
}

export function listOf(oneOrMore: string | readonly string[]): readonly string[] {
  return typeof oneOrMore === 'string' ? [oneOrMore] : oneOrMore;
}
