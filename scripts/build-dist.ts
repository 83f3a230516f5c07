/** Builds `dist/`, what the published package runs: compiled code, its types and WebAssembly, and a schema. Run by npm's `prepack`. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, globSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { configJsonSchema } from '#config';
import manifest from '../package.json' with { type: 'json' };
import { buildWasm } from './build-wasm.ts';
import { buildWeb } from './build-web.ts';

const root = resolve(import.meta.dirname, '..');
const dist = join(root, 'dist');

rmSync(dist, { recursive: true, force: true });
compile();
for (const file of buildWasm()) copyToDist(file);
cpSync(await buildWeb(), join(dist, 'web'), { recursive: true });
// For editors of holdfast.yaml.
writeFileSync(join(dist, 'holdfast.schema.json'), JSON.stringify(configJsonSchema(), null, 2));
assertComplete();
assertNothingOfTests();

function compile(): void {
  const compiler = join(root, 'node_modules/.bin/tsc');
  const { status } = spawnSync(compiler, ['-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
  if (status !== 0) throw new Error(`the compiler ended with status ${status}`);
}

function copyToDist(file: string): void {
  const target = join(dist, relative(join(root, 'src'), file));
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(file, target);
}

/** Every door leads somewhere, and the program is there. */
function assertComplete(): void {
  const doors = [...Object.values(manifest.imports), ...Object.values(manifest.exports)];
  for (const path of ['./dist/main.js', ...doors.map((door) => door.default)])
    if (!existsSync(join(root, path))) throw new Error(`${path} was not built`);
}

function assertNothingOfTests(): void {
  const [found] = globSync('**/{testing,assembly,*.test.*}', { cwd: dist });
  if (found) throw new Error(`dist/${found} does not belong into the package`);
}
