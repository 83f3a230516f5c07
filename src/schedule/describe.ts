import type { Blackout, DayWindow, Schedule, Span } from '#contract';
import { listOf } from './rhythm.ts';

const days = {
  Mon: 'Monday',
  Tue: 'Tuesday',
  Wed: 'Wednesday',
  Thu: 'Thursday',
  Fri: 'Friday',
  Sat: 'Saturday',
  Sun: 'Sunday',
};

/**
 * A schedule in words: `Every day at 02:30 (Europe/Paris), spread by up to 5 min. One run makes up for missed ones.`
 * @param zone of schedules that name none
 */
export function describeSchedule(schedule: Schedule, zone = 'UTC'): string {
  const { jitter, windows, blackouts, missed } = schedule;
  const parts = [
    `${rhythmText(schedule)} (${schedule.zone ?? zone})`,
    ...(jitter ? [`spread by up to ${spanText(jitter)}`] : []),
    ...(windows ? [`only ${windows.map(windowText).join(' or ')}`] : []),
    ...(blackouts ? [`not ${blackouts.map(blackoutText).join(' nor ')}`] : []),
  ];
  const end = missed === 'report' ? 'A missed run is reported.' : 'One run makes up for missed ones.';
  return `${parts.join(', ')}. ${end}`;
}

function rhythmText({ every, hourly, daily, weekly, monthly, cron }: Schedule): string {
  if (every !== undefined) return `Every ${spanText(every)}`;
  if (hourly !== undefined) return `Every hour at minute ${hourly}`;
  if (daily !== undefined) return `Every day at ${sum(listOf(daily))}`;
  if (weekly !== undefined) return `Every ${sum(listOf(weekly).map(weeklyText))}`;
  if (monthly !== undefined) return `Every month ${sum(listOf(monthly).map(monthlyText))}`;
  return `By cron ${sum(listOf(cron ?? []))}`;
}

function weeklyText(text: string): string {
  const [day, time] = text.split(' ');
  return `${days[day as keyof typeof days]} at ${time}`;
}

function monthlyText(text: string): string {
  const [day, time] = text.split(' ');
  return `on ${day === 'last' ? 'the last day' : `day ${day}`} at ${time}`;
}

function windowText({ days: on, from, to }: DayWindow): string {
  return `from ${from} to ${to}${on ? ` on ${sum(on.map((day) => days[day]))}` : ''}`;
}

function blackoutText(blackout: Blackout): string {
  return 'days' in blackout ? windowText(blackout) : `from ${blackout.from} to ${blackout.to}`;
}

/** `1h30min` with spaces. */
function spanText(span: Span): string {
  return [...span.matchAll(/(\d+)(min|[shdw])/g)].map(([, count, unit]) => `${count} ${unit}`).join(' ');
}

/** `a`, `a and b`, `a, b and c`. */
function sum(texts: readonly string[]): string {
  return texts.length < 2 ? (texts[0] ?? '') : `${texts.slice(0, -1).join(', ')} and ${texts.at(-1)}`;
}
