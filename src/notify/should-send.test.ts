import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Notification } from './notification.ts';
import { type SentNotification, shouldSend } from './should-send.ts';
import { failure, recovery } from './testing/examples.ts';

const hourMs = 3_600_000;
const now = new Date('2026-11-24T12:00:00Z');
const sent = (notification: Notification, hoursAgo: number): SentNotification => ({
  dedupeKey: notification.dedupeKey,
  sentAt: new Date(now.getTime() - hoursAgo * hourMs),
  type: notification.type,
  severity: notification.severity,
  isRecovery: notification.recovers !== undefined,
});
const reasonOf = (
  history: readonly SentNotification[],
  notification: Notification,
  remindMs?: number,
): string => {
  const { send, reason } = shouldSend(history, notification, { now, remindMs });
  return `${send ? 'sent' : 'kept'}: ${reason}`;
};

test('a trouble is told when it is new, and not again and again', () => {
  assert.equal(reasonOf([], failure), 'sent: new');
  assert.equal(reasonOf([sent({ ...failure, dedupeKey: 'plan:blog' }, 1)], failure), 'sent: new');
  assert.equal(reasonOf([sent(failure, 1)], failure), 'kept: repeated');
});

test('a trouble that lasts is told again after its time, a daily one every day', () => {
  assert.equal(reasonOf([sent(failure, 22)], failure), 'kept: repeated');
  assert.equal(reasonOf([sent(failure, 23.99)], failure), 'sent: reminder');
  assert.equal(reasonOf([sent(failure, 24), sent(failure, 3)], failure), 'kept: repeated');
  assert.equal(reasonOf([sent(failure, 3)], failure, 2 * hourMs), 'sent: reminder');
});

test('a trouble that becomes worse or another one is told at once, a milder one is not', () => {
  assert.equal(reasonOf([sent(failure, 1)], { ...failure, severity: 'critical' }), 'sent: worse');
  assert.equal(reasonOf([sent(failure, 1)], { ...failure, type: 'plan.late' }), 'sent: other');
  assert.equal(reasonOf([sent(failure, 1)], { ...failure, severity: 'warning' }), 'kept: repeated');
});

test('an end is told once, to those who know of the trouble', () => {
  assert.equal(reasonOf([sent(failure, 1)], recovery), 'sent: recovery');
  assert.equal(reasonOf([], recovery), 'kept: never-told');
  assert.equal(reasonOf([sent(recovery, 1), sent(failure, 2)], recovery), 'kept: told-already');
});

test('a trouble that comes back is new, in whatever order the history stands', () => {
  assert.equal(reasonOf([sent(failure, 2), sent(recovery, 1)], failure), 'sent: new');
  assert.equal(reasonOf([sent(recovery, 1), sent(failure, 2)], failure), 'sent: new');
});

test('a clock that was set back silences nothing', () => {
  assert.equal(reasonOf([sent(failure, -48)], failure), 'sent: reminder');
});
