/**
 * Runs the tests: `npm test`, or `npm test -- PATH…` for a part (files, folders or patterns). Before, it sees to what
 * they need: generated files, and the real programs that judge us, installed once.
 */
import { globSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { relative, resolve } from 'node:path';
import { type EventData, run } from 'node:test';
import { spec } from 'node:test/reporters';
import { installDebianPrograms } from '../test/servers/debian.ts';
import { buildWasm } from './build-wasm.ts';

process.chdir(resolve(import.meta.dirname, '..'));

const fileTimeoutMs = 20 * 60 * 1000;
const slowestCount = 10;

/** Begun first, longest first: one that is begun last keeps one core busy while the others have nothing to do. */
const longFiles = [
  'test/faults/simulation.test.ts',
  'test/faults/damage.test.ts',
  'test/integration/prune.test.ts',
  'test/faults/kill.test.ts',
  'test/faults/prune-kill.test.ts',
  'test/integration/s3.test.ts',
  'test/integration/s3-judge.test.ts',
  'test/integration/sftp-judge.test.ts',
  'test/integration/mongodb.test.ts',
  'test/integration/replicate.test.ts',
  'test/integration/cli-upkeep.test.ts',
  'test/publish.test.ts',
].map((file) => resolve(file));

const files = findTests(process.argv.slice(2));
buildWasm();
installDebianPrograms();
runTests(files);

function findTests(wanted: string[]): string[] {
  const patterns = wanted.length > 0 ? wanted : ['src', 'test'];
  const found = patterns.flatMap((pattern) => {
    const isFolder = statSync(pattern, { throwIfNoEntry: false })?.isDirectory();
    return globSync(isFolder ? `${pattern}/**/*.test.ts` : pattern);
  });
  if (found.length === 0) {
    fail(`no test file matches ${patterns.join(' ')}`);
    process.exit();
  }
  const all = found.map((file) => resolve(file)).sort();
  return [
    ...longFiles.filter((file) => all.includes(file)),
    ...all.filter((file) => !longFiles.includes(file)),
  ];
}

function runTests(files: string[]): void {
  const finished: EventData.TestPass[] = [];
  const events = run({
    files,
    concurrency: availableParallelism(),
    timeout: fileTimeoutMs,
    execArgv: ['--conditions=src', '--disable-warning=ExperimentalWarning'],
  });
  events.on('test:pass', (test) => finished.push(test));
  events.on('test:fail', (test) => finished.push(test));
  events.on('test:summary', ({ file, success }) => {
    if (file === undefined && !success) process.exitCode = 1;
  });
  const report = events.compose(new spec());
  report.on('end', () => {
    process.stdout.write(slowest(finished));
    // Node reports a file without tests as one test that passed, under the file's name.
    for (const { name, file } of finished) if (name === file) fail(`no test ran in ${relative('', file)}`);
    if (finished.length === 0) fail('no test ran');
  });
  report.pipe(process.stdout, { end: false });
}

function slowest(finished: EventData.TestPass[]): string {
  const tests = finished.filter(({ details }) => details.type !== 'suite');
  tests.sort((a, b) => b.details.duration_ms - a.details.duration_ms);
  const lines = tests.slice(0, slowestCount).map(({ name, file, details }) => {
    const seconds = (details.duration_ms / 1000).toFixed(1).padStart(7);
    return `${seconds} s  ${file ? relative('', file) : ''}: ${name}\n`;
  });
  return `\nslowest:\n${lines.join('')}`;
}

function fail(reason: string): void {
  process.stderr.write(`npm test: ${reason}\n`);
  process.exitCode = 1;
}
