import { Cron } from 'croner';
import { messageOf } from '#base';
import { ScheduleError } from './errors.ts';

const secondMs = 1000;

/**
 * Five cron fields in a time zone, as times.
 *
 * When clocks go forward, a time of day that is not there falls on the first minute that is; when they go back, a
 * time of day that is there twice counts once, the first time. What repeats within the day goes on in real time
 * through both.
 */
export class Pattern {
  readonly #cron: Cron;

  /** @throws ScheduleError 'schedule.cron' */
  constructor(fields: string, zone: string) {
    try {
      this.#cron = new Cron(fields, { timezone: zone, mode: '5-part' });
    } catch (error) {
      const reason = messageOf(error).replace(/^CronPattern: /, '');
      throw new ScheduleError('schedule.cron', `'${fields}' is not a cron pattern: ${reason}`, {
        hint: 'Give minute, hour, day of month, month and day of week, such as 30 2 * * 1-5.',
        cause: error,
      });
    }
  }

  /** At a time such as `02:30`, on the days that the last three fields say. */
  static daily(timeOfDay: string, days: string, zone: string): Pattern {
    const [hour, minute] = timeOfDay.split(':').map(Number);
    return new Pattern(`${minute} ${hour} ${days}`, zone);
  }

  /** The first time later than this one. */
  after(timeMs: number): number | undefined {
    return this.#cron.nextRun(new Date(timeMs))?.getTime();
  }

  /** The last time that is not later than this one. */
  atOrBefore(timeMs: number): number | undefined {
    // The library leaves its reference out, and counts in seconds.
    const reference = new Date(Math.floor(timeMs / secondMs) * secondMs + secondMs);
    return this.#cron.previousRuns(1, reference)[0]?.getTime();
  }
}

export function least(times: readonly (number | undefined)[]): number | undefined {
  return times.reduce((a, b) => (a === undefined || (b !== undefined && b < a) ? b : a), undefined);
}

export function greatest(times: readonly (number | undefined)[]): number | undefined {
  return times.reduce((a, b) => (a === undefined || (b !== undefined && b > a) ? b : a), undefined);
}
