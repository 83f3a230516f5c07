import { isAtLeast, type Notification, type Severity } from './notification.ts';

/** What a channel was told before, of whatever. */
export interface SentNotification {
  dedupeKey: string;
  sentAt: Date;
  type: string;
  severity: Severity;
  isRecovery: boolean;
}

/** Why something is told, or is not. For the log of deliveries. */
export type Verdict =
  | { send: true; reason: 'new' | 'worse' | 'other' | 'reminder' | 'recovery' }
  | { send: false; reason: 'repeated' | 'never-told' | 'told-already' };

const hourMs = 3_600_000;
export const remindMsDefault = 24 * hourMs;

/** What comes once a day does not come to the second; it still is a reminder after a day. */
const remindSlack = 0.05;

/**
 * Whether a channel is told of this now, or has been told often enough.
 * @param history of this channel, in any order; only what has the same key counts
 * @param options.remindMs how long a trouble lasts before it is told again
 */
export function shouldSend(
  history: readonly SentNotification[],
  notification: Notification,
  { now, remindMs = remindMsDefault }: { now: Date; remindMs?: number | undefined },
): Verdict {
  const last = history
    .filter(({ dedupeKey }) => dedupeKey === notification.dedupeKey)
    .reduce<SentNotification | undefined>(
      (newest, sent) => (newest && newest.sentAt > sent.sentAt ? newest : sent),
      undefined,
    );
  if (notification.recovers) {
    if (!last) return { send: false, reason: 'never-told' };
    if (last.isRecovery) return { send: false, reason: 'told-already' };
    return { send: true, reason: 'recovery' };
  }
  if (!last || last.isRecovery) return { send: true, reason: 'new' };
  if (!isAtLeast(last.severity, notification.severity)) return { send: true, reason: 'worse' };
  if (last.type !== notification.type) return { send: true, reason: 'other' };
  const sinceMs = now.getTime() - last.sentAt.getTime();
  // A clock that was set back must not silence a trouble.
  const isDue = sinceMs >= remindMs * (1 - remindSlack) || sinceMs < 0;
  return isDue ? { send: true, reason: 'reminder' } : { send: false, reason: 'repeated' };
}
