import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NotifyError } from './errors.ts';
import { deliveryDelaysMs, nextAttemptDelayMs } from './next-attempt.ts';

const failed = new NotifyError('notify.failed', 'the service answered HTTP 500');
const busyFor = (retryAfterMs: number): NotifyError =>
  new NotifyError('notify.busy', 'the service is busy', { context: { retryAfterMs } });

test('waits longer each time, and ends', () => {
  const delays = deliveryDelaysMs.map((_, i) => nextAttemptDelayMs(i + 1, failed));
  assert.deepEqual(delays, [...deliveryDelaysMs]);
  assert.deepEqual(
    delays,
    [...deliveryDelaysMs].sort((a, b) => a - b),
  );
  assert.equal(nextAttemptDelayMs(deliveryDelaysMs.length + 1, failed), undefined);
});

test('waits as long as a service asks, but not for days', () => {
  assert.equal(nextAttemptDelayMs(1, busyFor(60_000)), 60_000);
  assert.equal(nextAttemptDelayMs(1, busyFor(1)), deliveryDelaysMs[0]);
  assert.equal(nextAttemptDelayMs(1, busyFor(7 * 86_400_000)), 6 * 3_600_000);
});

test('does not repeat what cannot succeed, or what nobody foresaw', () => {
  assert.equal(nextAttemptDelayMs(1, new NotifyError('notify.refused', 'no such channel')), undefined);
  assert.equal(nextAttemptDelayMs(1, new TypeError('a fault of ours')), undefined);
});
