/**
 * Measures Holdfast beside restic on the same data on this machine: `npm run bench -- [--size 1024] [--runs 5]
 * [--cases json,random,small] [--restic PATH …] [--place FOLDER]`. Prints medians, and last a table of ratios to the first
 * other tool that verifies as we do, with the aims, for RESULTS.md. About a quarter of an hour on a calm machine of 2 cores.
 */
import { readFileSync, renameSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type DataName, dataSets } from './data.ts';
import { type Command, type Cost, measure, median, sizeOfFolder } from './measure.ts';
import { type Measured, ratioRows, type Step } from './ratios.ts';
import { findProgram, holdfastTool, resticTool, type Tool } from './tools.ts';

const MiB = 1024 * 1024;
const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '1024' },
    runs: { type: 'string', default: '5' },
    cases: { type: 'string', default: 'json,random,small' },
    restic: { type: 'string', multiple: true },
    place: { type: 'string', default: join(tmpdir(), 'holdfast-bench') },
  },
});

const place = values.place;
const runs = Number(values.runs);
const data = dataSets(join(place, 'data'), Number(values.size) * MiB);
const tools = chooseTools();

say(`machine: ${cpus().length} × ${cpus()[0]?.model.trim()}, ${processorFlags()}`);
for (const { name, description } of tools) say(`- ${name}: ${description}`);
const rows: string[] = [];
for (const name of values.cases.split(',') as DataName[]) measureCase(name);
say(`\n### Ratios of medians of ${runs} runs, ours to ${peerOf(tools[0]!).name}\n`);
say('| data | step | CPU | aim | wall | aim | peak RSS MiB | theirs | aim |');
say('|---|---|---:|---:|---:|---:|---:|---:|---:|');
for (const row of rows) say(row);

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function chooseTools(): Tool[] {
  const stock = values.restic ?? [findProgram('restic')];
  const restics = stock.filter((program) => program !== undefined);
  if (restics.length === 0) throw new Error('no restic on the PATH: apt-get install restic');
  return [
    holdfastTool({ verify: true }),
    holdfastTool({ verify: false }),
    ...restics.flatMap((program) => resticTool(program, join(place, 'restic-cache'))),
  ];
}

function measureCase(name: DataName): void {
  const results = new Map<string, Map<Step, Measured>>(tools.map((tool) => [tool.name, new Map()]));
  // In turn forwards and backwards, so that a machine that warms up is unfair to nobody.
  for (let run = 0; run < runs; run++)
    for (const tool of run % 2 ? tools.toReversed() : tools)
      measureTool(tool, name, (step, cost, storedMiB) => {
        const measured = results.get(tool.name)!.get(step) ?? { costs: [], storedMiB };
        measured.costs.push(cost);
        results.get(tool.name)!.set(step, { costs: measured.costs, storedMiB });
      });
  print(name, results);
}

type Note = (step: Step, cost: Cost, storedMiB: number) => void;

function measureTool(tool: Tool, name: DataName, note: Note): void {
  const repository = join(place, 'repository');
  const target = join(place, 'target');
  for (const folder of [repository, target]) rmSync(folder, { recursive: true, force: true });
  const take = (step: Step, commands: Command | Command[]): void =>
    note(step, sumOf([commands].flat().map(measure)), sizeOfFolder(repository) / MiB);
  measure(tool.init(repository));
  atWork(data.folderOf(name), (work) => {
    take('first', tool.backup(repository, work));
    if (tool.isVariant) return;
    take('unchanged', tool.backup(repository, work));
    take('restore', tool.restore(repository, target));
    rmSync(target, { recursive: true, force: true });
    take('check, all data', tool.checkData(repository));
  });
  if (tool.isVariant) return;
  atWork(data.changedFolderOf(name), (work) => take('changed 1 %', tool.backup(repository, work)));
  take('prune of half', tool.pruneToLast(repository));
}

/** Moves a data set to the one path under which all are backed up, and back. */
function atWork(folder: string, use: (work: string) => void): void {
  const work = join(place, 'work');
  rmSync(work, { recursive: true, force: true });
  renameSync(folder, work);
  try {
    use(work);
  } finally {
    renameSync(work, folder);
  }
}

function sumOf(costs: readonly Cost[]): Cost {
  return costs.reduce((a, b) => ({
    wallSeconds: a.wallSeconds + b.wallSeconds,
    cpuSeconds: a.cpuSeconds + b.cpuSeconds,
    rssMiB: Math.max(a.rssMiB, b.rssMiB),
  }));
}

function print(name: DataName, results: Map<string, Map<Step, Measured>>): void {
  say(`\n### ${name}\n`);
  say('| step | tool | CPU s | wall s | peak RSS MiB | repository MiB |');
  say('|---|---|---:|---:|---:|---:|');
  for (const step of results.get(tools[0]!.name)!.keys()) {
    for (const tool of tools) {
      const measured = results.get(tool.name)!.get(step);
      if (!measured) continue;
      const of = (fact: keyof Cost): number => median(measured.costs.map((cost) => cost[fact]));
      const cells = [of('cpuSeconds').toFixed(2), of('wallSeconds').toFixed(2), of('rssMiB').toFixed(0)];
      say(`| ${step} | ${tool.name} | ${cells.join(' | ')} | ${measured.storedMiB.toFixed(0)} |`);
    }
  }
  for (const ours of tools.filter((tool) => tool.isOurs)) {
    const peer = peerOf(ours);
    rows.push(
      ...ratioRows({
        name,
        verifies: ours.verifies,
        ours: results.get(ours.name)!,
        theirs: results.get(peer.name)!,
      }),
    );
  }
}

/** The other tool that does the same: verifies, or does not. */
function peerOf({ verifies }: Tool): Tool {
  const others = tools.filter((tool) => !tool.isOurs);
  return others.find((tool) => tool.verifies === verifies) ?? others[0]!;
}

function processorFlags(): string {
  return /\bsha_ni\b/.test(readFileSync('/proc/cpuinfo', 'utf8')) ? 'with SHA-NI' : 'without SHA-NI';
}
