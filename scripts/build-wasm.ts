import { spawnSync } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = join(import.meta.dirname, '../src/repository');

/** Each lies in `assembly/<name>.ts` of its folder and becomes `generated/<name>.wasm` there. */
const modules = [
  {
    folder: 'chunker',
    name: 'rabin',
    // Memory comes from outside and is shared by threads; up to 1 GiB in pages of 64 KiB.
    memory: ['--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '16384'],
  },
  { folder: 'format', name: 'poly1305', memory: ['--initialMemory', '1', '--maximumMemory', '1'] },
];
const options = ['-O3', '--converge', '--noAssert', '--runtime', 'stub', '--enable', 'threads,bulk-memory'];

/** Compiles what is written in AssemblyScript, unless that has been done since its last change. @returns the files */
export function buildWasm(): string[] {
  return modules.map(({ folder, name, memory }) => {
    const source = join(repository, folder, `assembly/${name}.ts`);
    const target = join(repository, folder, `generated/${name}.wasm`);
    if (changedAt(target) < Math.max(changedAt(source), changedAt(import.meta.filename))) {
      mkdirSync(dirname(target), { recursive: true });
      compile([source, '--outFile', target, ...options, ...memory]);
    }
    return target;
  });
}

function compile(args: string[]): void {
  const { status } = spawnSync(process.execPath, [compiler(), ...args], { stdio: 'inherit' });
  if (status !== 0) throw new Error(`the AssemblyScript compiler ended with status ${status}`);
}

function compiler(): string {
  try {
    return fileURLToPath(import.meta.resolve('assemblyscript/bin/asc.js'));
  } catch (cause) {
    throw new Error('assemblyscript is not installed; run npm ci with its development dependencies', {
      cause,
    });
  }
}

function changedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
