/**
 * Cases too large for the tests, run by hand: `scripts/node bench/huge.ts [--place FOLDER] [--cases sparse,folder,files]`.
 * Backs up, checks and restores a 5 GiB file that is all hole but for a few bytes, a folder with 100,000 entries, and a
 * million files; prints what each step cost, and compares with restic where that is on the PATH.
 */
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Command, measure } from './measure.ts';
import { findProgram, holdfastTool, resticTool, type Tool } from './tools.ts';

const GiB = 1024 ** 3;
const { values } = parseArgs({
  options: {
    place: { type: 'string', default: join(tmpdir(), 'holdfast-huge') },
    cases: { type: 'string', default: 'sparse,folder,files' },
  },
});

const makers: Record<string, (folder: string) => void> = {
  sparse: (folder) => {
    const fd = openSync(join(folder, 'sparse'), 'w');
    ftruncateSync(fd, 5 * GiB);
    for (const place of [0, 2 * GiB + 12_345, 5 * GiB - 5]) writeSync(fd, 'bytes', place);
    closeSync(fd);
  },
  folder: (folder) => makeFiles(folder, 100_000),
  files: (folder) => {
    for (let i = 0; i < 1000; i++) {
      const sub = join(folder, String(i).padStart(3, '0'));
      mkdirSync(sub);
      makeFiles(sub, 1000);
    }
  },
};

for (const name of values.cases.split(',')) {
  const folder = join(values.place, name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  makers[name]!(folder);
  const restic = findProgram('restic');
  const others = restic ? resticTool(restic, join(values.place, 'restic-cache')) : [];
  for (const tool of [holdfastTool({ verify: true }), ...others]) run(name, tool, folder);
  rmSync(folder, { recursive: true, force: true });
}

function makeFiles(folder: string, count: number): void {
  for (let i = 0; i < count; i++) writeFileSync(join(folder, `entry-${i}`), `content of ${folder} ${i}`);
}

function run(name: string, tool: Tool, folder: string): void {
  const repository = join(values.place, 'repository');
  const target = join(values.place, 'target');
  rmSync(repository, { recursive: true, force: true });
  measure(tool.init(repository));
  say(name, tool, 'backup', tool.backup(repository, folder));
  say(name, tool, 'unchanged', tool.backup(repository, folder));
  say(name, tool, 'check', tool.checkData(repository));
  const restore = tool.restore(repository, target);
  const isOurs = tool.name.startsWith('holdfast');
  say(name, tool, 'restore', isOurs ? { ...restore, args: [...restore.args, '--sparse'] } : restore);
  // restic drops the path of a source that is named by `.`; we keep it.
  compare(folder, isOurs ? join(target, folder) : target);
  rmSync(target, { recursive: true, force: true });
}

function say(name: string, tool: Tool, step: string, command: Command): void {
  const { cpuSeconds, wallSeconds, rssMiB } = measure(command);
  const cost = `${cpuSeconds.toFixed(1)} CPU s, ${wallSeconds.toFixed(1)} s, ${rssMiB.toFixed(0)} MiB`;
  process.stdout.write(`${name.padEnd(7)} ${tool.name.padEnd(20)} ${step.padEnd(10)} ${cost}\n`);
}

/** Names and sizes; content is what the check has hashed. */
function compare(original: string, copy: string): void {
  const facts = (root: string): string[] =>
    readdirSync(root, { recursive: true, encoding: 'utf8' })
      .sort()
      .map((path) => `${path} ${statSync(join(root, path)).size}`);
  const [wanted, found] = [facts(original), facts(copy)];
  if (wanted.length !== found.length || wanted.some((fact, i) => fact !== found[i]))
    throw new Error(`what came back of ${original} differs`);
}
