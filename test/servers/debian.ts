import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** What the tests and the benchmark run of Debian's: program → package. */
const packages = {
  restic: 'restic',
  rclone: 'rclone',
  setfacl: 'acl',
  setfattr: 'attr',
  bsdtar: 'libarchive-tools',
  unzip: 'unzip',
  sshd: 'openssh-server',
  openssl: 'openssl',
  'redis-server': 'redis-server',
  nginx: 'nginx-light',
  pg_createcluster: 'postgresql',
  chromium: 'chromium',
} as const;

type DebianProgram = keyof typeof packages;

/** The program's path. @throws Error with the command that installs it */
export function requireProgram(program: DebianProgram): string {
  const path = pathOf(program);
  if (!path) throw new Error(`the tests need ${program}; as root: ${installCommand([packages[program]])}`);
  return path;
}

/** Installs what is missing, once for the machine. Before the tests, because apt-get can't run twice at a time. */
export function installDebianPrograms(): void {
  const missing = missingPrograms();
  if (missing.length === 0) return;
  const names = missing.map((program) => packages[program]);
  if (process.getuid?.() !== 0) requireProgram(missing[0]!);
  process.stdout.write(`installing for the tests, once: ${installCommand(names)}\n`);
  aptGet(['update', '-qq'], names);
  aptGet(['install', '-y', '-qq', '--no-install-recommends', ...names], names);
  for (const program of missing) requireProgram(program);
}

function missingPrograms(): DebianProgram[] {
  return (Object.keys(packages) as DebianProgram[]).filter((program) => !pathOf(program));
}

function installCommand(names: string[]): string {
  return `apt-get update && apt-get install -y --no-install-recommends ${names.join(' ')}`;
}

function aptGet(args: string[], names: string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const run = spawnSync('apt-get', args, { encoding: 'utf8', env });
  if (run.status === 0) return;
  const reason = run.error?.message ?? run.stderr;
  throw new Error(`apt-get ${args[0]} failed: ${reason}\ntry by hand: ${installCommand(names)}`);
}

function pathOf(program: string): string | undefined {
  // Servers stand in sbin, which is on root's path only.
  const folders = `${process.env.PATH ?? ''}:/usr/sbin`.split(delimiter).filter(Boolean);
  return folders.map((folder) => join(folder, program)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
