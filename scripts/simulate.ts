/**
 * Runs the simulation (test/faults/simulation): `npm run simulate -- --seeds N [--from K]` runs N worlds and prints
 * how often each work met each misfortune; `--seed S` runs one world and prints its last calls.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { pairCounts, pairsUnderFloor } from '../test/faults/simulation/floors.ts';
import { runSeeds } from '../test/faults/simulation/run-seeds.ts';
import { type SimulationResult, simulate } from '../test/faults/simulation/simulate.ts';

const linesShown = 200;
const failuresShown = 5;
const progressEvery = 1000;

const { values } = parseArgs({
  options: { seeds: { type: 'string' }, seed: { type: 'string' }, from: { type: 'string', default: '1' } },
});

if (values.seed !== undefined) {
  const result = await simulate(Number(values.seed));
  print(...result.trace.slice(-linesShown), `digest ${result.digest}`);
  reportFailure(result);
} else {
  const count = Number(values.seeds ?? 1000);
  let done = 0;
  const summary = await runSeeds({
    from: Number(values.from),
    count,
    threads: Math.min(availableParallelism(), count),
    onResult: () => {
      if (++done % progressEvery === 0) process.stderr.write(`${done} seeds\n`);
    },
  });
  print(...pairCounts(summary).map(([pair, times]) => `${pair}: ${times}`), `${summary.seedCount} seeds`);
  for (const failure of summary.failures.slice(0, failuresShown)) {
    print(...failure.trace.slice(-linesShown));
    reportFailure(failure);
  }
  const under = pairsUnderFloor(summary);
  if (under.length > 0) fail('met too seldom:', ...under);
  if (summary.failures.length > 0) {
    fail(`${summary.failures.length} seeds failed: ${summary.failures.map(({ seed }) => seed).join(' ')}`);
  }
}

function reportFailure({ seed, mood, wrong }: SimulationResult): void {
  if (wrong.length > 0) fail(`seed ${seed} (${mood}):`, ...wrong);
}

function print(...lines: string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}

function fail(...lines: string[]): void {
  print(...lines);
  process.exitCode = 1;
}
