import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What one run of a program cost, as the system accounted for it. */
export interface Cost {
  wallSeconds: number;
  /** User and system together. */
  cpuSeconds: number;
  rssMiB: number;
}

export interface Command {
  program: string;
  args: readonly string[];
  env?: NodeJS.ProcessEnv;
  cwd?: string;
}

/** Runs a program under GNU time. @throws when its status is not 0 */
export function measure({ program, args, env, cwd }: Command): Cost {
  const report = join(tmpdir(), `holdfast-bench-${process.pid}`);
  const timed = ['-f', '%e %U %S %M', '-o', report, program, ...args];
  const run = spawnSync('/usr/bin/time', timed, { encoding: 'utf8', env: { ...process.env, ...env }, cwd });
  if (run.error) throw new Error('the benchmark needs GNU time: apt-get install time', { cause: run.error });
  if (run.status !== 0)
    throw new Error(`${program} ${args.join(' ')} ended with ${run.status}:\n${run.stderr}`);
  const [wall, user, system, rss] = readFileSync(report, 'utf8').trim().split(' ').map(Number);
  rmSync(report);
  return { wallSeconds: wall!, cpuSeconds: user! + system!, rssMiB: rss! / 1024 };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Bytes of all files below a folder. */
export function sizeOfFolder(folder: string): number {
  if (!existsSync(folder)) return 0;
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
