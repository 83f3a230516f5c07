import { test } from 'node:test';
import { Slots } from './slots.ts';

test('work that ends while it queues for its slot again does not keep one', async () => {
  const slots = new Slots(1);
  const first = await slots.acquire(undefined);
  first.pause();
  const second = await slots.acquire(undefined);
  const resumed = first.resume();
  first.end();
  second.end();
  await resumed;
  await slots.acquire(AbortSignal.timeout(1000));
});
