import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '#base';
import { RateLimit } from './rate-limit.ts';

test('those who read at once share the rate', async () => {
  let nowMs = 1000;
  const clock: Clock = {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    async sleep(durationMs) {
      nowMs += durationMs;
    },
  };
  const { signal } = new AbortController();
  const rate = new RateLimit(clock, 1000);
  for (const expectedMs of [1000, 1500, 2000]) {
    await rate.pay(500, signal);
    assert.equal(nowMs, expectedMs);
  }
  await new RateLimit(clock, undefined).pay(1_000_000, signal);
  assert.equal(nowMs, 2000);
});
