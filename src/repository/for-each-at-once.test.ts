import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { forEachAtOnce } from './for-each-at-once.ts';

test('works on every item once, never on more than allowed', async () => {
  const done: number[] = [];
  let running = 0;
  let runningMax = 0;
  await forEachAtOnce([1, 2, 3, 4, 5], 2, async (item) => {
    runningMax = Math.max(runningMax, ++running);
    await setImmediate();
    running--;
    done.push(item);
  });
  assert.deepEqual(done.sort(), [1, 2, 3, 4, 5]);
  assert.equal(runningMax, 2);
});

test('after a failure takes no further item, and rejects when nothing runs any more', async () => {
  const begun: number[] = [];
  let running = 0;
  const work = async (item: number): Promise<void> => {
    begun.push(item);
    running++;
    if (item !== 2) await setImmediate();
    running--;
    if (item === 2) throw new Error('the second');
  };
  await assert.rejects(forEachAtOnce([1, 2, 3, 4, 5, 6], 2, work), /the second/);
  assert.deepEqual(begun, [1, 2]);
  assert.equal(running, 0);
});

test('passes on a failure that is undefined', async () => {
  const failing = forEachAtOnce([1], 1, () => Promise.reject(undefined));
  assert.equal(await failing.catch((error) => ['failed with', error]).then(String), 'failed with,');
});
