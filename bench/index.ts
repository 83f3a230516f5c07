/**
 * Opens a repository of very many blobs and plans a prune, beside restic: `scripts/node bench/index.ts
 * [--blobs 1000000] [--snapshots 200] [--nodes 2000000] [--restic PATH …] [--place FOLDER]`. The repository is made
 * once and kept. Prints seconds, peak memory, and what the index takes for each blob.
 */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openRepository, pruneRepository, type Repository } from '#repository';
import { openStorage } from '#storage';
import { makeLargeRepository } from '../src/repository/testing/large-repository.ts';
import { type Cost, measure } from './measure.ts';
import { findProgram } from './tools.ts';

const password = 'benchmark';
const { values } = parseArgs({
  options: {
    blobs: { type: 'string', default: '1000000' },
    snapshots: { type: 'string', default: '200' },
    nodes: { type: 'string', default: '2000000' },
    restic: { type: 'string', multiple: true },
    place: { type: 'string', default: join(tmpdir(), 'holdfast-bench') },
    /** What a process started by this one does. */
    step: { type: 'string' },
    cache: { type: 'boolean', default: false },
  },
});
const repositoryFolder = join(values.place, `index-${values.blobs}-${values.snapshots}-${values.nodes}`);
const cacheFolder = join(values.place, 'index-cache');
const ownCacheFolder = join(values.place, 'index-own-cache');

const steps: Record<string, (repository: Repository) => Promise<void>> = {
  start: async () => {},
  open: async (repository) => {
    await repository.index();
  },
  plan: async (repository) => {
    await pruneRepository(repository, { dryRun: true });
  },
};

if (values.step === 'make') await make();
else if (values.step) await runStep(values.step);
else {
  compare();
  await sayTableSize();
}

async function make(): Promise<void> {
  const draft = `${repositoryFolder}.draft`;
  const [blobCount, snapshotCount, nodeCount] = [values.blobs, values.snapshots, values.nodes].map(Number);
  await makeLargeRepository({
    folder: draft,
    password,
    blobCount: blobCount!,
    snapshotCount: snapshotCount!,
    nodeCount: nodeCount!,
  });
  renameSync(draft, repositoryFolder);
}

async function runStep(step: string): Promise<void> {
  const cache = values.cache ? { cache: await openStorage(ownCacheFolder) } : {};
  const repository = await openRepository({ storage: repositoryFolder, password, ...cache });
  await steps[step]!(repository);
  await repository.close();
  await cache.cache?.close();
}

async function sayTableSize(): Promise<void> {
  const repository = await openRepository({ storage: repositoryFolder, password });
  const { table } = await repository.index();
  say(`\n${table.size} blobs, ${(table.memoryBytes / table.size).toFixed(1)} bytes in the index for each`);
  await repository.close();
}

function compare(): void {
  if (!existsSync(repositoryFolder)) self('make');
  say('| step | program | CPU s | wall s | peak RSS MiB |\n|---|---|---:|---:|---:|');
  rmSync(ownCacheFolder, { recursive: true, force: true });
  row('start', 'holdfast', self('start'));
  row('open', 'holdfast, without cache', self('open'));
  row('open', 'holdfast, fills the cache', self('open', '--cache'));
  row('open', 'holdfast, cached', self('open', '--cache'));
  row('plan a prune', 'holdfast, cached', self('plan', '--cache'));
  for (const program of values.restic ?? [findProgram('restic')]) {
    if (!program) continue;
    rmSync(cacheFolder, { recursive: true, force: true });
    row('ls latest', `${program}, fills the cache`, restic(program, 'ls', 'latest'));
    row('ls latest', `${program}, cached`, restic(program, 'ls', 'latest'));
    row('prune --dry-run', `${program}, cached`, restic(program, 'prune', '--dry-run'));
  }
}

function self(step: string, ...more: string[]): Cost {
  const { blobs, snapshots, nodes, place } = values;
  const options = Object.entries({ blobs, snapshots, nodes, place, step }).flatMap(([name, value]) => [
    `--${name}`,
    value,
  ]);
  return measure({
    program: process.execPath,
    args: [...process.execArgv, import.meta.filename, ...options, ...more],
  });
}

function restic(program: string, ...command: string[]): Cost {
  const args = ['-q', '--no-lock', '--cache-dir', cacheFolder, '-r', repositoryFolder, ...command];
  return measure({ program, args, env: { RESTIC_PASSWORD: password } });
}

function row(step: string, program: string, { cpuSeconds, wallSeconds, rssMiB }: Cost): void {
  say(
    `| ${step} | ${program} | ${cpuSeconds.toFixed(2)} | ${wallSeconds.toFixed(2)} | ${rssMiB.toFixed(0)} |`,
  );
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
