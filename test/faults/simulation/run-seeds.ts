import { Worker } from 'node:worker_threads';
import type { SimulationResult } from './simulate.ts';
import { Tally } from './tally.ts';

export interface SeedsSummary {
  seedCount: number;
  tally: Tally;
  /** Worlds in which something was wrong. */
  failures: SimulationResult[];
}

/** Runs the seeds `from` … `from + count - 1` in some threads. */
export async function runSeeds(options: {
  from: number;
  count: number;
  threads: number;
  onResult?: (result: SimulationResult) => void;
}): Promise<SeedsSummary> {
  const { from, count, threads } = options;
  const summary: SeedsSummary = { seedCount: 0, tally: new Tally(), failures: [] };
  const take = (result: SimulationResult): void => {
    summary.seedCount++;
    summary.tally.addAll(result.tally);
    if (result.wrong.length > 0) summary.failures.push(result);
    options.onResult?.(result);
  };
  const parts = Array.from({ length: threads }, (_, i) =>
    runPart({ first: from + i, step: threads, end: from + count }, take),
  );
  await Promise.all(parts);
  summary.failures.sort((a, b) => a.seed - b.seed);
  return summary;
}

function runPart(
  part: { first: number; step: number; end: number },
  onResult: (result: SimulationResult) => void,
): Promise<void> {
  const worker = new Worker(new URL('./simulate-worker.ts', import.meta.url), { workerData: part });
  let seed = part.first;
  return new Promise((resolve, reject) => {
    worker.on('message', (message: { begun: number } | { result: SimulationResult }) => {
      if ('begun' in message) seed = message.begun;
      else onResult(message.result);
    });
    worker.on('error', (cause) => reject(new Error(`seed ${seed} ended its thread: ${cause}`, { cause })));
    worker.on('exit', () => resolve());
  });
}
