import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';

const launcher = join(import.meta.dirname, '../bin/holdfast');
const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
const bundledNode = `node-linux-${arch}/bin/node`;

let temporary: string;
/** A PATH with what the launcher itself runs, and no Node. */
let barePath: string;
let folder: string;
/** Where npm would put the package: an application's node_modules. */
let installed: string;

before(() => {
  temporary = mkdtempSync(join(tmpdir(), 'holdfast-launcher-'));
  barePath = join(temporary, 'bare');
  mkdirSync(barePath);
  for (const program of ['readlink', 'uname']) symlinkSync(whereIs(program), join(barePath, program));
});
after(() => rmSync(temporary, { recursive: true, force: true }));
beforeEach(() => {
  folder = mkdtempSync(join(temporary, 'case-'));
  installed = installAt(join(folder, 'app/node_modules/holdfast'));
});

function whereIs(program: string): string {
  return spawnSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).stdout.trim();
}

/** A published package with an empty program. @returns its launcher */
function installAt(root: string): string {
  for (const part of ['bin', 'dist']) mkdirSync(join(root, part), { recursive: true });
  copyFileSync(launcher, join(root, 'bin/holdfast'));
  writeFileSync(join(root, 'dist/main.js'), '');
  return join(root, 'bin/holdfast');
}

/** A program that answers `--version` as Node does, and otherwise prints its name, process and arguments. */
function fakeNode(path: string, version = 'v26.0.0'): string {
  const script = `#!/bin/sh\n[ "$1" = --version ] && { echo '${version}'; exit; }\necho ${path} $$ "$@"\n`;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, script);
  chmodSync(path, 0o755);
  return path;
}

function launch(command: string, options: { nodeOnPath?: string; env?: Record<string, string> } = {}) {
  const path = options.nodeOnPath ? `${dirname(options.nodeOnPath)}:${barePath}` : barePath;
  const run = spawnSync(command, ['backup', 'a b'], {
    encoding: 'utf8',
    env: { PATH: path, ...options.env },
  });
  const [node, pid, ...args] = run.stdout.trim().split(' ');
  return { status: run.status, error: run.stderr, node, isSameProcess: pid === String(run.pid), args };
}

test('says that there is no Node, and what to do', () => {
  const { status, error } = launch(installed);
  assert.equal(status, 1);
  assert.match(
    error,
    /^holdfast: no Node\.js was found\n {2}hint: Run npm ci, or install Node\.js 24 or newer/,
  );
});

test('refuses an old Node on the PATH', () => {
  const { status, error } = launch(installed, {
    nodeOnPath: fakeNode(join(folder, 'path/node'), 'v18.20.4'),
  });
  assert.equal(status, 1);
  assert.match(error, /^holdfast: Node\.js v18\.20\.4 at \S+ is too old\n {2}hint: Run npm ci without/);
});

test('refuses a program on the PATH that is not Node, or does not start', () => {
  const other = launch(installed, { nodeOnPath: fakeNode(join(folder, 'other/node'), 'ham radio node') });
  assert.equal(other.status, 1);
  assert.match(other.error, /is not Node\.js: its version is 'ham radio node'/);
  const broken = fakeNode(join(folder, 'broken/node'));
  writeFileSync(broken, '#!/nowhere/interpreter\n');
  assert.match(
    launch(installed, { nodeOnPath: broken }).error,
    /^holdfast: Node\.js at \S+ does not start$/m,
  );
});

test('becomes the Node on the PATH when none is bundled, with all arguments', () => {
  const nodeOnPath = fakeNode(join(folder, 'path/node'), 'v24.1.0');
  const run = launch(installed, { nodeOnPath });
  assert.deepEqual({ status: run.status, node: run.node }, { status: 0, node: nodeOnPath });
  assert.ok(run.isSameProcess, 'exec: a signal to the launcher reaches Node');
  const main = join(folder, 'app/node_modules/holdfast/dist/main.js');
  const heap = ['--max-semi-space-size=2', '--heap-growing-percent=60', '--no-memory-reducer'];
  const flags = [...heap, '--disable-warning=ExperimentalWarning'];
  assert.deepEqual(run.args, [...flags, main, 'backup', 'a', 'b']);
});

test('prefers the bundled Node: its own, hoisted, or hoisted further up', () => {
  const nodeOnPath = fakeNode(join(folder, 'path/node'));
  const nested = installAt(join(folder, 'app/node_modules/other/node_modules/holdfast'));
  const hoisted = fakeNode(join(folder, 'app/node_modules', bundledNode));
  assert.equal(launch(installed, { nodeOnPath }).node, hoisted);
  assert.equal(launch(nested, { nodeOnPath }).node, hoisted);
  const own = fakeNode(join(folder, 'app/node_modules/holdfast/node_modules', bundledNode));
  assert.equal(launch(installed, { nodeOnPath }).node, own);
});

test('does not run a Node that merely lies in a folder above', () => {
  fakeNode(join(folder, 'node_modules', bundledNode));
  const checkout = installAt(join(folder, 'projects/holdfast'));
  assert.match(launch(checkout).error, /no Node\.js was found/);
});

test('is found through links: npm’s bin folder, and a link to that', () => {
  const hoisted = fakeNode(join(folder, 'app/node_modules', bundledNode));
  const bin = join(folder, 'app/node_modules/.bin');
  mkdirSync(bin);
  symlinkSync('../holdfast/bin/holdfast', join(bin, 'holdfast'));
  symlinkSync(join(bin, 'holdfast'), join(folder, 'hf'));
  assert.equal(launch(join(bin, 'holdfast')).node, hoisted);
  assert.equal(launch(join(folder, 'hf')).node, hoisted);
});

test('HOLDFAST_NODE wins, and must be a file that can be run', () => {
  fakeNode(join(folder, 'app/node_modules', bundledNode));
  const chosen = fakeNode(join(folder, 'chosen/node'));
  assert.equal(launch(installed, { env: { HOLDFAST_NODE: chosen } }).node, chosen);
  const { status, error } = launch(installed, { env: { HOLDFAST_NODE: folder } });
  assert.equal(status, 1);
  assert.match(error, /^holdfast: HOLDFAST_NODE=\S+ is not an executable file\n {2}hint: Unset it/);
});

test('says when the package is incomplete', () => {
  const nodeOnPath = fakeNode(join(folder, 'path/node'));
  rmSync(join(folder, 'app/node_modules/holdfast/dist'), { recursive: true });
  assert.match(launch(installed, { nodeOnPath }).error, /holds neither src\/main\.ts nor dist\/main\.js/);
});

test('starts two programs before it becomes Node, so that it costs next to nothing', () => {
  fakeNode(join(folder, 'app/node_modules', bundledNode));
  const counted = join(folder, 'counted');
  mkdirSync(counted);
  const log = join(counted, 'log');
  for (const name of ['readlink', 'uname']) {
    const script = `#!/bin/sh\necho ${name} >> ${log}\nexec ${whereIs(name)} "$@"\n`;
    writeFileSync(join(counted, name), script, { mode: 0o755 });
  }
  const run = spawnSync(installed, { env: { PATH: counted }, encoding: 'utf8' });
  assert.equal(run.status, 0, run.stderr);
  assert.deepEqual(readFileSync(log, 'utf8').trim().split('\n'), ['readlink', 'uname']);
});
