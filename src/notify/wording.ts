import type { Figure, Notification } from './notification.ts';

/** Marks that need no colour: what is over, then by severity. */
const marks = { recovery: '✅', info: 'ℹ️', warning: '⚠️', error: '❌', critical: '🚨' } as const;

export type Tone = keyof typeof marks;

/** What decides on colour, mark and urgency. */
export function toneOf({ recovers, severity, state }: Notification): Tone {
  return recovers || state === 'succeeded' ? 'recovery' : severity;
}

export function markOf(notification: Notification): string {
  return marks[toneOf(notification)];
}

/** One line: `Error: plan shop-nightly failed`, `Recovered: plan shop-nightly`. */
export function titleOf({ recovers, severity, state, subject }: Notification): string {
  const what = `${subject.kind} ${subject.name}`;
  const word = severity.charAt(0).toUpperCase() + severity.slice(1);
  return oneLine(recovers ? `Recovered: ${what}` : `${word}: ${what} ${state}`);
}

/** What else is known, as name and value: since when, usual against now, where, which job, labels. */
export function factsOf(notification: Notification): [name: string, value: string][] {
  const { since, at, figures, host, labels, recovers, state } = notification;
  const isLasting = since.getTime() !== at.getTime();
  const labelTexts = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  const facts: [string, string | undefined][] = [
    ['State', state],
    ['When', timeText(at)],
    [recovers ? 'Had begun' : 'Since', isLasting || recovers ? timeText(since) : undefined],
    ...figures.map((figure): [string, string] => [figure.name, figureText(figure)]),
    ['Host', host],
    ['Labels', labelTexts.join(', ') || undefined],
  ];
  return facts.flatMap(([name, value]) =>
    value === undefined ? [] : [[oneLine(name), oneLine(value)] as [string, string]],
  );
}

/** The whole as plain text, without the title. */
export function plainTextOf(notification: Notification): string {
  const { message, nextStep, link } = notification;
  const facts = factsOf(notification).map(([name, value]) => `${name}: ${value}`);
  const steps = [nextStep && `Next step: ${oneLine(nextStep)}`, link && `Details: ${link}`].filter(Boolean);
  return [[oneLine(message)], facts, steps]
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}

function figureText({ usual, now }: Figure): string {
  return `${now ?? 'unknown'} (usual: ${usual ?? 'unknown'})`;
}

/** `2026-11-24 03:00 UTC` */
function timeText(time: Date): string {
  return `${time.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** Without line breaks and other signs that steer a display. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]+/gu, ' ').trim();
}

/** At most `lengthMax` UTF-16 units, with an ellipsis where something is missing. */
export function shorten(text: string, lengthMax: number): string {
  if (text.length <= lengthMax) return text;
  return `${text.slice(0, lengthMax - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}

export function escapeHtml(text: string): string {
  const names: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(/[&<>"']/g, (sign) => names[sign]!);
}
