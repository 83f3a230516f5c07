import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { requireNode24 } from './servers/node-24.ts';
import { Restic } from './servers/restic.ts';

const root = resolve(import.meta.dirname, '..');
const password = 'published';
/** What the package may hold; npm adds package.json by itself. */
const published = ['LICENSE', 'README.md', 'bin', 'dist', 'package.json'];
const nodes = [
  { major: 26, path: process.execPath },
  { major: 24, path: requireNode24() },
];

let folder: string;
let application: string;
let tree: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-publish-'));
  application = join(folder, 'application');
  mkdirSync(application);
  writeFileSync(join(application, 'password'), password);
  tree = join(folder, 'tree');
  for (const part of ['docs', 'src/repository'])
    cpSync(join(root, part), join(tree, part), { recursive: true });
  // Node 24 cannot set nanoseconds, and says so: that would be a warning.
  for (const path of readdirSync(tree, { recursive: true, encoding: 'utf8' }))
    utimesSync(join(tree, path), 1, 1);
  run('npm', ['pack', '--pack-destination', folder], { cwd: root });
  run('npm', ['init', '--yes'], { cwd: application });
  const [packed] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  run('npm', ['install', '--prefer-offline', join(folder, packed!)], { cwd: application });
});
after(() => rmSync(folder, { recursive: true, force: true }));

function run(
  program: string,
  args: string[],
  options: { cwd?: string; env?: Record<string, string>; input?: Uint8Array } = {},
): string {
  // npm and node:test tell their children about themselves, and these are to be on their own.
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|NODE_TEST_CONTEXT|INIT_CWD)/.test(name),
  );
  const env = { ...Object.fromEntries(inherited), ...options.env };
  const done = spawnSync(program, args, { cwd: application, ...options, env, encoding: 'utf8' });
  if (done.error) throw done.error;
  assert.equal(done.status, 0, `${program} ${args.join(' ')}\n${done.stdout}${done.stderr}`);
  return done.stdout;
}

function holdfast(node: string, ...args: string[]): string {
  return run('node_modules/.bin/holdfast', args, { env: { HOLDFAST_NODE: node } });
}

/** Path → content of every file. */
function contentOf(top: string): Record<string, string> {
  const files = readdirSync(top, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).sort();
  return Object.fromEntries(paths.map((path) => [path.slice(top.length), readFileSync(path, 'latin1')]));
}

test('holds the program, what it runs, README and LICENSE, and nothing else', () => {
  const installed = join(application, 'node_modules/holdfast');
  assert.deepEqual(readdirSync(installed).sort(), published);
  assert.deepEqual(readdirSync(join(installed, 'bin')), ['holdfast']);
  assert.ok(readdirSync(join(installed, 'dist')).includes('main.js'));
});

test('runs by npx, and brings its own Node', () => {
  const version = run('npx', ['--no-install', 'holdfast', 'version']);
  assert.match(version, /^holdfast \d+\.\d+\.\d+ on Node v26\./);
});

for (const { major, path } of nodes) {
  test(`backs up, checks and restores on Node ${major}; restic agrees`, () => {
    assert.match(holdfast(path, 'version'), new RegExp(`^holdfast \\S+ on Node v${major}\\.`));
    const repository = join(folder, `by-node-${major}`);
    const options = ['-r', repository, '--password-file', 'password'];
    holdfast(path, 'init', ...options);
    holdfast(path, 'backup', ...options, tree);
    holdfast(path, 'check', ...options, '--read-data');
    const target = join(folder, `restored-${major}`);
    holdfast(path, 'restore', ...options, `latest:${tree}`, '--target', target);
    assert.deepEqual(contentOf(target), contentOf(tree));
    new Restic({ repository, password }).run('check', '--read-data');
  });

  test(`runs the README's example of the library on Node ${major}`, () => {
    const repository = join(folder, `by-library-${major}`);
    const [, example] = /```js\n(.*?)```/s.exec(readFileSync(join(root, 'README.md'), 'utf8'))!;
    const script = join(application, `example-${major}.mjs`);
    writeFileSync(script, example!.replace('/srv/backup', repository).replace('correct horse', password));
    const dump = Buffer.from('{"name":"user"}\n'.repeat(100_000));
    assert.match(run(path, [script], { input: dump }), /^saved as [0-9a-f]{64}$/m);
    const restic = new Restic({ repository, password });
    assert.equal(restic.run('dump', 'latest', '/dump'), dump.toString());
  });
}

test('what Node 24 wrote Node 26 extends without new data, and the other way round', () => {
  for (const [writer, reader] of [nodes, nodes.toReversed()]) {
    const repository = join(folder, `by-node-${writer!.major}`);
    const options = ['-r', repository, '--password-file', 'password'];
    const lines = holdfast(reader!.path, 'backup', ...options, '--json', '--force', tree)
      .trim()
      .split('\n');
    assert.equal(JSON.parse(lines.at(-1)!).data_blobs, 0);
    holdfast(reader!.path, 'check', ...options, '--read-data');
  }
});

test('its types serve a stranger', () => {
  const script = join(application, 'stranger.ts');
  const text = "import { type Repository, openRepository } from 'holdfast';\n";
  writeFileSync(
    script,
    `${text}export const open = (): Promise<Repository> => openRepository({ storage: '/a', password: 'b' });\n`,
  );
  const typeRoots = join(root, 'node_modules/@types');
  const options = [
    '--ignoreConfig',
    '--noEmit',
    '--strict',
    '--module',
    'nodenext',
    '--typeRoots',
    typeRoots,
    '--types',
    'node',
  ];
  run(join(root, 'node_modules/.bin/tsc'), [...options, script]);
});
