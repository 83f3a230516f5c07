import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { requireProgram } from './debian.ts';

interface ResticOptions {
  repository: string;
  password: string;
  folder?: string;
  env?: NodeJS.ProcessEnv;
}

/** Stock restic on one repository: the judge of what we write, and the writer of what we must read. */
export class Restic {
  readonly #program = requireProgram('restic');
  readonly #options: string[];
  readonly #env: NodeJS.ProcessEnv;

  /**
   * @param folder a temporary folder for restic's cache, which saves time when many commands follow each other
   * @param env more variables: the storage's credentials
   */
  constructor({ repository, password, folder, env }: ResticOptions) {
    this.#options = [
      '-r',
      repository,
      ...(folder ? ['--cache-dir', join(folder, 'restic-cache')] : ['--no-cache']),
    ];
    this.#env = { ...process.env, ...env, RESTIC_PASSWORD: password, TZ: 'UTC' };
  }

  /** Runs a command and returns its output; a status other than 0 is an error that carries both outputs. */
  run(...args: string[]): string {
    const { status, output } = this.try(...args);
    if (status !== 0) throw new Error(`restic ${args.join(' ')} ended with ${status}:\n${output}`);
    return output;
  }

  try(...args: string[]): { status: number | null; output: string } {
    const run = spawnSync(this.#program, [...this.#options, ...args], {
      encoding: 'utf8',
      env: this.#env,
      maxBuffer: 256 * 1024 * 1024,
    });
    if (run.error) throw run.error;
    return { status: run.status, output: run.stdout + run.stderr };
  }
}
