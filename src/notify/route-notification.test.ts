import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Notification, recoveryOf } from './notification.ts';
import { type RoutingRule, routeNotification } from './route-notification.ts';
import { bare, failure, recovery } from './testing/examples.ts';

const chat: RoutingRule = { channel: 'chat', kind: 'slack' };
const goesTo = (rules: readonly RoutingRule[], notification: Notification): string[] =>
  routeNotification(rules, notification).map(({ channel }) => channel);

test('a channel without wishes is told of warnings and worse', () => {
  for (const [severity, expected] of [
    ['info', []],
    ['warning', ['chat']],
    ['error', ['chat']],
    ['critical', ['chat']],
  ] as const)
    assert.deepEqual(goesTo([chat], { ...failure, severity }), expected, severity);
});

test('a channel is told of what is as bad as it says', () => {
  assert.deepEqual(goesTo([{ ...chat, severity: 'critical' }], failure), []);
  assert.deepEqual(goesTo([{ ...chat, severity: 'info' }], bare), ['chat']);
});

test('a channel is told of what has all of its labels', () => {
  assert.deepEqual(goesTo([{ ...chat, labels: { team: 'shop' } }], failure), ['chat']);
  assert.deepEqual(goesTo([{ ...chat, labels: { team: 'shop', stage: 'test' } }], failure), []);
  assert.deepEqual(goesTo([{ ...chat, labels: { constructor: 'x' } }], failure), []);
});

test('a channel is told of its types', () => {
  assert.deepEqual(goesTo([{ ...chat, types: ['plan.late', 'job.failed'] }], failure), ['chat']);
  assert.deepEqual(goesTo([{ ...chat, types: ['job.*'] }], failure), ['chat']);
  assert.deepEqual(goesTo([{ ...chat, types: ['plan.*', 'job.fail'] }], failure), []);
});

test('a recovery goes where its trouble went, unless it is not wanted', () => {
  const rules: RoutingRule[] = [
    { ...chat, types: ['job.failed'], severity: 'error' },
    { ...chat, channel: 'critical', severity: 'critical' },
    { ...chat, channel: 'troubles', withRecovery: false },
    { ...chat, channel: 'others', types: ['plan.late'] },
  ];
  assert.deepEqual(goesTo(rules, failure), ['chat', 'troubles']);
  assert.deepEqual(goesTo(rules, recovery), ['chat']);
});

test('pings get the life of jobs whatever its severity, and nothing else', () => {
  const rule: RoutingRule = { channel: 'pings', kind: 'healthchecks', severity: 'critical' };
  const started = { ...bare, type: 'job.started', state: 'running' };
  assert.deepEqual(routeNotification([rule], started), [{ channel: 'pings', isHeartbeat: true }]);
  assert.deepEqual(goesTo([rule], failure), ['pings']);
  assert.deepEqual(goesTo([rule], recovery), []);
  assert.deepEqual(goesTo([{ ...rule, labels: { team: 'blog' } }], failure), []);
});

test('a channel with several rules is told once', () => {
  const rules = [{ ...chat, severity: 'critical' } as const, chat, { ...chat, types: ['job.*'] }];
  assert.deepEqual(routeNotification(rules, failure), [{ channel: 'chat', isHeartbeat: false }]);
});

test('a recovery keeps what it is about and since when, and has no next step', () => {
  const over = recoveryOf(failure, {
    type: 'plan.recovered',
    state: 'ok',
    message: 'Well.',
    at: new Date(0),
  });
  assert.deepEqual(over.recovers, { type: 'job.failed', severity: 'error' });
  assert.equal(over.severity, 'info');
  assert.equal(over.since, failure.since);
  assert.equal(over.dedupeKey, failure.dedupeKey);
  assert.equal(over.labels, failure.labels);
  assert.equal('nextStep' in over || 'jobId' in over, false);
  assert.deepEqual(over.figures, []);
});
