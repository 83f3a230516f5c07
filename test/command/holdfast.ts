import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initRepository } from '#repository';

export const program = join(import.meta.dirname, '../../bin/holdfast');
export const password = 'correct horse';

const cacheFolder = mkdtempSync(join(tmpdir(), 'holdfast-test-cache-'));
process.on('exit', () => rmSync(cacheFolder, { recursive: true, force: true }));

export interface Run {
  status: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  env?: NodeJS.ProcessEnv;
  input?: string | Buffer;
  cwd?: string;
}

/** Runs the real command to its end; what the test's own environment says of Holdfast is kept from it. */
export function holdfast(args: readonly string[], options: RunOptions = {}): Run {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    env: environment(options.env),
    input: options.input ?? '',
    cwd: options.cwd,
    maxBuffer: 256 * 1024 * 1024,
  });
  if (error) throw error;
  return { status, stdout, stderr };
}

/** Starts it, to be killed by the test. */
export function startHoldfast(args: readonly string[], options: RunOptions = {}) {
  return spawn(program, args, {
    env: environment(options.env),
    stdio: ['pipe', 'pipe', 'pipe'],
    cwd: options.cwd,
  });
}

/** Makes a repository that opens quickly. */
export async function makeRepository(location: string): Promise<void> {
  const repository = await initRepository({ storage: location, password, kdf: { N: 1024, r: 8, p: 1 } });
  await repository.close();
}

/** The objects of a `--json` answer, one a line. */
export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

function environment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('HOLDFAST_') && name !== 'NODE_TEST_CONTEXT',
  );
  return {
    ...Object.fromEntries(own),
    HOLDFAST_PASSWORD: password,
    XDG_CACHE_HOME: cacheFolder,
    TZ: 'UTC',
    ...more,
  };
}
