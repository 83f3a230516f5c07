import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pairsUnderFloor } from './simulation/floors.ts';
import { runSeeds } from './simulation/run-seeds.ts';
import { simulate } from './simulation/simulate.ts';

const seedCount = 2000;
const threads = 2;
const repeatedSeeds = [1, 2, 3, 4, 5, 6, 7, 8];

test('whatever happens, no reported snapshot is lost, and the next run goes on', async () => {
  const summary = await runSeeds({ from: 1, count: seedCount, threads });
  const failures = summary.failures.map(({ seed, mood, wrong }) => `seed ${seed} (${mood}): ${wrong[0]}`);
  assert.deepEqual(failures, [], 'look at one with: npm run simulate -- --seed S');
  assert.equal(summary.seedCount, seedCount);
  assert.deepEqual(pairsUnderFloor(summary), [], 'what the seeds met too seldom');
});

test('a seed repeats to the last byte', async () => {
  const digests = async (): Promise<string[]> => {
    const results: string[] = [];
    for (const seed of repeatedSeeds) results.push((await simulate(seed)).digest);
    return results;
  };
  const first = await digests();
  assert.equal(new Set(first).size, repeatedSeeds.length);
  assert.deepEqual(await digests(), first);
});
