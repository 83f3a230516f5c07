import { useSyncExternalStore } from 'react';

const minuteMs = 60_000;
const dayMs = 86_400_000;
const space = '\u00a0';

/** Now, moving once a minute for everybody at once. */
const minute = (() => {
  const listeners = new Set<() => void>();
  let nowMs = Date.now();
  setInterval(() => {
    nowMs = Date.now();
    for (const listener of listeners) listener();
  }, minuteMs / 2);
  return {
    subscribe: (listener: () => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    now: () => nowMs,
  };
})();

export function useNowMs(): number {
  return useSyncExternalStore(minute.subscribe, minute.now);
}

const absolute = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'long' });
const date = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

export function clockTime(timeMs: number): string {
  return clock.format(timeMs);
}

/** "1 h 58 min", "12 min", "9 d": the two largest units, as the copy rules say. */
export function span(durationMs: number): string {
  if (durationMs < 1000) return `${(durationMs / 1000).toFixed(1)}${space}s`;
  const seconds = Math.round(durationMs / 1000);
  if (seconds < 60) return `${seconds}${space}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return join(minutes, 'min', seconds % 60, 's');
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return join(hours, 'h', minutes % 60, 'min');
  return `${Math.floor(hours / 24)}${space}d`;
}

function join(large: number, largeUnit: string, small: number, smallUnit: string): string {
  const first = `${large}${space}${largeUnit}`;
  return small === 0 ? first : `${first} ${small}${space}${smallUnit}`;
}

/** Relative up to 24 h, then days, then a date. */
export function relative(timeMs: number, nowMs: number): string {
  const ageMs = nowMs - timeMs;
  if (Math.abs(ageMs) < minuteMs) return ageMs < 0 ? 'in a moment' : 'just now';
  if (ageMs < 0) return -ageMs < 30 * dayMs ? `in ${toMinutes(-ageMs)}` : date.format(timeMs);
  if (ageMs < dayMs) return `${toMinutes(ageMs)} ago`;
  if (ageMs < 2 * dayMs) return 'yesterday';
  return ageMs < 30 * dayMs ? `${Math.floor(ageMs / dayMs)}${space}d ago` : date.format(timeMs);
}

/** An age: whole minutes, and one at least. */
export function toMinutes(durationMs: number): string {
  return span(Math.max(1, Math.floor(durationMs / minuteMs)) * minuteMs);
}

/** A time as people say it, with the absolute one at hand. */
export function Time({ at }: { at: string }) {
  const nowMs = useNowMs();
  const timeMs = Date.parse(at);
  return (
    <time dateTime={at} title={absolute.format(timeMs)}>
      {relative(timeMs, nowMs)}
    </time>
  );
}
