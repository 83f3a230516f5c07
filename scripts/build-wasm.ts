import { spawnSync } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const chunker = join(import.meta.dirname, '../src/repository/chunker');
const source = join(chunker, 'assembly/rabin.ts');
const target = join(chunker, 'generated/rabin.wasm');
const options = ['-O3', '--converge', '--noAssert', '--runtime', 'stub'];
/** Memory comes from outside and is shared by threads; up to 1 GiB in pages of 64 KiB. */
const memory = ['--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '16384'];

/** Compiles the chunker (AssemblyScript) unless that has been done since its last change. */
export function buildWasm(): void {
  if (changedAt(target) >= Math.max(changedAt(source), changedAt(import.meta.filename))) return;
  mkdirSync(join(chunker, 'generated'), { recursive: true });
  const args = [
    compiler(),
    source,
    '--outFile',
    target,
    ...options,
    ...memory,
    '--enable',
    'threads,bulk-memory',
  ];
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
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
