// Runs the worlds of some seeds in a thread of its own: `first`, `first + step` and so on.
import { parentPort, workerData } from 'node:worker_threads';
import { simulate } from './simulate.ts';

const { first, step, end }: { first: number; step: number; end: number } = workerData;

// Worlds throw by the thousand, and stacks are dear. `npm run simulate -- --seed S` shows them.
Error.stackTraceLimit = 0;

for (let seed = first; seed < end; seed += step) {
  parentPort!.postMessage({ begun: seed });
  parentPort!.postMessage({ result: await simulate(seed) });
}
