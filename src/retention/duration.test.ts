import assert from 'node:assert/strict';
import { test } from 'node:test';
import { before, formatDuration, parseDuration } from './duration.ts';

const ns = (text: string) => BigInt(Date.parse(text)) * 1_000_000n;

test('reads and writes durations as restic does', () => {
  assert.deepEqual(parseDuration(' 1y5m7d2h '), { years: 1, months: 5, days: 7, hours: 2 });
  assert.deepEqual(parseDuration('35d'), { years: 0, months: 0, days: 35, hours: 0 });
  for (const text of ['1y5m7d2h', '12h', '3m']) assert.equal(formatDuration(parseDuration(text)), text);
  for (const text of ['', '5', 'd', '1w', '-1d', '1d x', '1.5d'])
    assert.throws(() => parseDuration(text), { code: 'retention.policy' }, text);
});

test('counts back on the calendar, days of short months running over', () => {
  const table: [from: string, offsetMinutes: number, duration: string, to: string][] = [
    ['2026-03-31T12:00:00Z', 0, '1m', '2026-03-03T12:00:00Z'],
    ['2024-02-29T00:00:00Z', 0, '1y', '2023-03-01T00:00:00Z'],
    ['2026-01-01T00:00:00Z', 0, '1d', '2025-12-31T00:00:00Z'],
    ['2026-01-01T00:00:00Z', 0, '25h', '2025-12-30T23:00:00Z'],
    // In its own zone the first instant is 31 March.
    ['2026-03-30T23:00:00Z', 120, '1m', '2026-03-02T23:00:00Z'],
    ['2026-07-15T08:00:00Z', -300, '1y2m3d4h', '2025-05-12T04:00:00Z'],
  ];
  for (const [from, offsetMinutes, duration, to] of table)
    assert.equal(before(ns(from) + 7n, offsetMinutes, parseDuration(duration)), ns(to) + 7n, from);
});
