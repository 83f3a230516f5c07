import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { documentFaults } from './tidy/document-faults.ts';
import { modulesOf, sourceFaults } from './tidy/source-faults.ts';

/** Module → modules it may import, from the ground up. ARCHITECTURE.md prints this table and says why. */
const mayImport: Record<string, readonly string[]> = {
  base: [],
  contract: [],
  schedule: ['base', 'contract'],
  config: ['base', 'contract', 'schedule'],
  storage: ['base'],
  sources: ['base', 'storage'],
  retention: ['base'],
  discovery: ['base'],
  notify: ['base'],
  catalog: ['base'],
  jobs: ['base', 'catalog'],
  repository: ['base', 'storage'],
  access: ['base', 'catalog'],
  workflows: ['base', 'storage', 'sources', 'retention', 'repository'],
  plans: [
    'base',
    'contract',
    'schedule',
    'storage',
    'sources',
    'retention',
    'notify',
    'catalog',
    'jobs',
    'repository',
    'workflows',
  ],
  cli: [
    'base',
    'config',
    'storage',
    'sources',
    'retention',
    'discovery',
    'catalog',
    'repository',
    'workflows',
  ],
  server: [
    'base',
    'contract',
    'config',
    'storage',
    'discovery',
    'catalog',
    'jobs',
    'access',
    'repository',
    'plans',
  ],
  'main.ts': ['server', 'cli'],
};

const root = resolve(import.meta.dirname, '..');
let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-tidy-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** Writes files into a folder of their own. @returns the folder */
function plant(files: Record<string, string>): string {
  const tree = mkdtempSync(join(folder, 'tree-'));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), text);
  }
  return tree;
}

test('the table names the modules that there are, and each row only rows above it', () => {
  const modules = Object.keys(mayImport);
  assert.deepEqual(modulesOf(root).sort(), [...modules].sort());
  for (const [module, allowed] of Object.entries(mayImport))
    for (const name of allowed)
      assert.ok(modules.indexOf(name) < modules.indexOf(module), `${module}: ${name}`);
});

test('the source keeps the rules of the tree', () => {
  assert.deepEqual(sourceFaults(root, mayImport), []);
});

test('pages, package.json and lockfile say what is', () => {
  assert.deepEqual(documentFaults(root, mayImport), []);
});

test('finds each planted breach of the rules of the tree, and nothing else', () => {
  const tree = plant({
    'src/base/index.ts':
      '// The ground.\nexport { one } from \'./one.ts\';\nexport type {\n  Two,\n} from "./two.ts";\n',
    'src/base/one.ts': "import { storage } from '#storage';\nimport('#base');\n// import x from '#cli';\n",
    'src/base/clock.ts': 'Date.now();',
    'src/base/Wrong_name.ts': '',
    'src/base/time-utils.ts': 'Date.now(); new Date(); setTimeout(f, 1); Math.random(); new Date(0);',
    'src/storage/index.ts': `export * from './s3.ts';\n${'\n'.repeat(40)}export const three = 3;\n`,
    'src/storage/s3.ts':
      "import type { A } from '#base';\nimport '../base/one.ts';\nimport './testing/fake.ts';\n",
    'src/storage/s3.test.ts':
      "import './testing/fake.ts';\nimport '../../test/servers/s3.ts';\nDate.now();\n",
    'src/storage/testing/fake.ts': "export { a } from '../s3.ts';\nimport '../../cli/testing/a.ts';\n",
    'test/a.test.ts':
      "import '#cli';\nimport '../src/storage/testing/fake.ts';\nimport '../src/storage/s3.ts';\n",
    'src/main.ts': "import { main } from '#cli';\nimport '#base';\n",
  });
  assert.deepEqual(sourceFaults(tree, mayImport), [
    "src/base/Wrong_name.ts: 'Wrong_name.ts' is not kebab-case",
    `src/base/index.ts: a face has only named re-exports, not 'export type { Two, } from "./two.ts";'`,
    'src/base/one.ts: base may not import #storage',
    "src/base/one.ts: '#base' is its own front door; use a relative path",
    "src/base/time-utils.ts: 'utils' says nothing; name it for what it holds",
    ...['Date.now', 'new Date()', 'setTimeout', 'Math.random'].map(
      (word) => `src/base/time-utils.ts: ${word} belongs into base/clock.ts or random.ts`,
    ),
    'src/main.ts: main.ts may not import #base',
    'src/storage/index.ts: a face of 42 lines; 40 are allowed',
    'src/storage/index.ts: a face begins with a sentence on what the module is',
    "src/storage/index.ts: a face has only named re-exports, not 'export * from './s3.ts';'",
    "src/storage/index.ts: a face has only named re-exports, not 'export const three = 3;'",
    "src/storage/s3.ts: '../base/one.ts' leaves the module; use a front door",
    "src/storage/s3.ts: './testing/fake.ts' is for tests only",
    "src/storage/testing/fake.ts: '../../cli/testing/a.ts' leaves the module; use a front door",
    "test/a.test.ts: '../src/storage/s3.ts' leaves the module; use a front door",
  ]);
});

test('finds each planted untruth of pages, package.json and lockfile, and nothing else', () => {
  const table = '| `base` | – | |\n| `storage` | base | |\n';
  const walls = { base: [], storage: ['base'] };
  const doorOf = (module: string) => ({
    src: `./src/${module}/index.ts`,
    default: `./dist/${module}/index.js`,
  });
  const good = {
    'README.md': 'See [how](docs/a.md#part), [there](https://example.org/).\n',
    'ARCHITECTURE.md': `${table}`,
    'docs/a.md': 'See docs/decisions/0001.',
    'docs/decisions/0001-a.md': '',
    'docs/decisions/dependencies.md': '| `a` | saves us much |\n| `b` | too |\n| `c` | too |\n',
    'package.json': JSON.stringify({
      imports: { '#base': doorOf('base'), '#storage': doorOf('storage') },
      dependencies: { a: '1' },
      optionalDependencies: { b: '1' },
      devDependencies: { c: '1' },
    }),
    'package-lock.json': JSON.stringify({ packages: { '': {}, 'node_modules/a': { integrity: 'x' } } }),
  };
  assert.deepEqual(documentFaults(plant(good), walls), []);
  const tree = plant({
    ...good,
    'README.md': `[how](docs/b.md)${'\n'.repeat(150)}end\n`,
    'ARCHITECTURE.md': '| `base` | – | |\n| `storage` | – | |\n',
    'docs/decisions/0001-b.md': '',
    'docs/decisions/dependencies.md': '| `a` | saves us much |\n| `c` | too |\n| `d` | nothing |\n',
    'src/a.ts': '// See docs/decisions/0002.\n',
    'package.json': (good['package.json'] as string).replace('/storage/index.js', '/storage.js'),
    'package-lock.json': JSON.stringify({
      packages: {
        '': {},
        'node_modules/a': { integrity: 'x', resolved: 'https://registry' },
        'node_modules/b': {},
      },
    }),
  });
  assert.deepEqual(documentFaults(tree, walls), [
    'README.md: 151 lines; 150 are allowed',
    "ARCHITECTURE.md: the module table has no row 'storage: base'",
    "ARCHITECTURE.md: the module table has a wrong row 'storage: '",
    'package.json: door #storage is wrong',
    'docs/decisions/dependencies.md: no line on b',
    'docs/decisions/dependencies.md: a line on d, which nobody uses',
    'package-lock.json: node_modules/a names the registry it came from',
    'package-lock.json: node_modules/b has no integrity',
    'README.md: there is no docs/b.md',
    'docs/decisions: number 0001 is used twice',
    'src/a.ts: there is no docs/decisions/0002',
  ]);
});

test('the linter finds planted faults, through doors too', () => {
  const tree = plant({
    'src/base/index.ts': "// The ground.\nexport { sleep } from './sleep.ts';\n",
    'src/base/sleep.ts': 'export async function sleep(): Promise<void> {}\n',
    'src/cli/lost.ts': "import { sleep } from '#base';\n\nexport function lose(): void {\n  sleep();\n}\n",
    'src/cli/circle-a.ts': "import { b } from './circle-b.ts';\n\nexport const a = (): number => b();\n",
    'src/cli/circle-b.ts': "import { a } from './circle-a.ts';\n\nexport const b = (): number => a();\n",
    'src/cli/long.ts': `export function long(): void {\n${'  long();\n'.repeat(71)}}\n`,
    'src/cli/good.ts':
      "import { sleep } from '#base';\n\nexport const rest = (): Promise<void> => sleep();\n",
  });
  for (const name of ['biome.jsonc', 'tsconfig.json', 'package.json', '.gitignore'])
    copyFileSync(join(root, name), join(tree, name));
  const biome = join(root, 'node_modules/.bin/biome');
  const run = spawnSync(biome, ['ci', '--colors=off', '--reporter=github'], { cwd: tree, encoding: 'utf8' });
  assert.equal(run.status, 1);
  const found = [...run.stdout.matchAll(/title=lint\/\w+\/(\w+),file=([^,]+)/g)].map(
    ([, rule, file]) => `${relative(tree, file!)}: ${rule}`,
  );
  assert.deepEqual(found.sort(), [
    'src/cli/circle-a.ts: noImportCycles',
    'src/cli/circle-b.ts: noImportCycles',
    'src/cli/long.ts: noExcessiveLinesPerFunction',
    'src/cli/lost.ts: noFloatingPromises',
  ]);
});
