/**
 * Measures Holdfast beside restic on the same data on this machine: `npm run bench -- [--size 1024] [--runs 5]
 * [--cases json,random,small] [--restic PATH …] [--place FOLDER]`. Prints medians, and ratios to the first other tool.
 */
import { cpSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type DataName, dataSets } from './data.ts';
import { type Command, type Cost, measure, median, sizeOfFolder } from './measure.ts';
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

type Step = 'first' | 'unchanged' | 'changed 1 %' | 'restore' | 'check, all data' | 'prune of half';
interface Measured {
  costs: Cost[];
  storedMiB: number;
}

const place = values.place;
const runs = Number(values.runs);
const data = dataSets(join(place, 'data'), Number(values.size) * MiB);
const tools = chooseTools();

say(`machine: ${cpus().length} × ${cpus()[0]?.model.trim()}, ${processorFlags()}`);
for (const { name, description } of tools) say(`- ${name}: ${description}`);
for (const name of values.cases.split(',') as DataName[]) measureCase(name);

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
  const original = data.folderOf(name);
  const changed = data.changedFolderOf(name);
  const work = join(place, 'work');
  const results = new Map<string, Map<Step, Measured>>(tools.map((tool) => [tool.name, new Map()]));
  for (let run = 0; run < runs; run++) {
    for (const tool of tools) {
      const repository = join(place, 'repository');
      const target = join(place, 'target');
      for (const folder of [repository, target, work]) rmSync(folder, { recursive: true, force: true });
      const take = (step: Step, commands: Command | Command[]): void =>
        note(results.get(tool.name)!, step, [commands].flat().map(measure), repository);
      cpSync(original, work, { recursive: true, preserveTimestamps: true });
      measure(tool.init(repository));
      take('first', tool.backup(repository, work));
      take('unchanged', tool.backup(repository, work));
      take('restore', tool.restore(repository, target));
      rmSync(target, { recursive: true, force: true });
      take('check, all data', tool.checkData(repository));
      rmSync(work, { recursive: true, force: true });
      cpSync(changed, work, { recursive: true, preserveTimestamps: true });
      take('changed 1 %', tool.backup(repository, work));
      take('prune of half', tool.pruneToLast(repository));
    }
  }
  print(name, results);
}

function note(into: Map<Step, Measured>, step: Step, costs: Cost[], repository: string): void {
  const cost = costs.reduce((a, b) => ({
    wallSeconds: a.wallSeconds + b.wallSeconds,
    cpuSeconds: a.cpuSeconds + b.cpuSeconds,
    rssMiB: Math.max(a.rssMiB, b.rssMiB),
  }));
  const measured = into.get(step) ?? { costs: [], storedMiB: 0 };
  measured.costs.push(cost);
  measured.storedMiB = sizeOfFolder(repository) / MiB;
  into.set(step, measured);
}

function print(name: DataName, results: Map<string, Map<Step, Measured>>): void {
  say(`\n### ${name}\n`);
  say('| step | tool | CPU s | wall s | peak RSS MiB | repository MiB | CPU | wall |');
  say('|---|---|---:|---:|---:|---:|---:|---:|');
  for (const step of results.get(tools[0]!.name)!.keys()) {
    for (const tool of tools) {
      const { costs, storedMiB } = results.get(tool.name)!.get(step)!;
      const of = (fact: keyof Cost): number => median(costs.map((cost) => cost[fact]));
      const peer = results.get(peerOf(tool).name)!.get(step)!;
      const ratio = (fact: keyof Cost): string =>
        tool.name.startsWith('holdfast')
          ? (of(fact) / median(peer.costs.map((cost) => cost[fact]))).toFixed(2)
          : '';
      const cells = [of('cpuSeconds').toFixed(2), of('wallSeconds').toFixed(2), of('rssMiB').toFixed(0)];
      say(
        `| ${step} | ${tool.name} | ${cells.join(' | ')} | ${storedMiB.toFixed(0)} | ${ratio('cpuSeconds')} | ${ratio('wallSeconds')} |`,
      );
    }
  }
}

/** The other tool that does the same: verifies, or does not. */
function peerOf(tool: Tool): Tool {
  const others = tools.filter(({ name }) => !name.startsWith('holdfast'));
  const wanted = tool.name.includes('no verify');
  const isAlike = ({ name, description }: Tool): boolean =>
    (name.includes('no verify') || description.includes('does not')) === wanted;
  return others.find(isAlike) ?? others[0]!;
}

function processorFlags(): string {
  return /\bsha_ni\b/.test(readFileSync('/proc/cpuinfo', 'utf8')) ? 'with SHA-NI' : 'without SHA-NI';
}
