import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadAhead } from './load-ahead.ts';

async function take<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

test('gives what was loaded in order, whichever came first', async () => {
  const waiting: (() => void)[] = [];
  const load = (item: number) => ({
    sizeBytes: 1,
    loaded: new Promise<number>((resolve) => waiting.push(() => resolve(item))),
  });
  const all = take(loadAhead([1, 2, 3], load, { countMax: 3, bytesMax: 100 }));
  while (waiting.length < 3) await new Promise(setImmediate);
  for (const done of waiting.reverse()) done();
  assert.deepEqual(await all, [1, 2, 3]);
});

test('holds no more than it may, in number and in bytes', async () => {
  for (const limits of [
    { countMax: 3, bytesMax: 1000 },
    { countMax: 100, bytesMax: 30 },
  ]) {
    let loading = 0;
    let loadingMost = 0;
    const load = (item: number) => {
      loadingMost = Math.max(loadingMost, ++loading);
      return { sizeBytes: 10, loaded: Promise.resolve(item) };
    };
    for await (const _ of loadAhead(Array(20).keys(), load, limits)) loading--;
    // One more than fits in bytes is seen before the first is given away.
    assert.equal(loadingMost, limits.countMax === 3 ? 3 : 4);
  }
});

test('fails where the failed item would have come', async () => {
  const given: number[] = [];
  const load = (item: number) => ({
    sizeBytes: 1,
    loaded: item === 2 ? Promise.reject(new Error('lost')) : Promise.resolve(item),
  });
  await assert.rejects(async () => {
    for await (const item of loadAhead([0, 1, 2, 3], load, { countMax: 4, bytesMax: 9 })) given.push(item);
  }, /lost/);
  assert.deepEqual(given, [0, 1]);
});
