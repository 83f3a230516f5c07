import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDuration } from './duration.ts';
import { reachDaysOf } from './policy.ts';

test('tells how many days back a policy reaches', () => {
  assert.equal(reachDaysOf({ last: 100, tags: [['keep']] }), 0);
  assert.equal(reachDaysOf({ hourly: 48, daily: 14 }), 14);
  assert.equal(reachDaysOf({ weekly: 8, daily: 14 }), 56);
  assert.equal(reachDaysOf({ daily: 14, within: parseDuration('1y2m3d') }), 428);
  assert.equal(reachDaysOf({ yearly: -1 }), Number.POSITIVE_INFINITY);
});
