import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireProgram } from './debian.ts';
import { freePort, untilListening } from './free-port.ts';

/** A running PostgreSQL on 127.0.0.1, with nothing in it. */
export interface PostgresServer {
  /** A URL of a database of its own, made now. */
  database(): string;
  stop(): Promise<void>;
}

const root = '/usr/lib/postgresql';
const startMsMax = 60_000;
const password = 'postgres-secret';

/** Debian's; it refuses to run as root, so the account that the package makes runs it. */
export async function startPostgres(): Promise<PostgresServer> {
  requireProgram('pg_createcluster');
  const [version] = readdirSync(root).sort((one, other) => Number(other) - Number(one));
  const programs = join(root, version!, 'bin');
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-postgres-'));
  chmodSync(folder, 0o700);
  const data = join(folder, 'data');
  writeFileSync(join(folder, 'password'), password);
  const asPostgres =
    process.getuid?.() === 0 ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups'] : [];
  if (asPostgres.length > 0) spawnSync('chown', ['-R', 'postgres:postgres', folder]);
  const run = (program: string, args: string[], env: NodeJS.ProcessEnv = {}): void => {
    const [command, ...rest] = [...asPostgres, join(programs, program), ...args];
    const { status, stderr } = spawnSync(command!, rest, {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, ...env },
    });
    if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr}`);
  };
  run('initdb', [
    '-D',
    data,
    '-A',
    'scram-sha-256',
    '-U',
    'holdfast',
    `--pwfile=${join(folder, 'password')}`,
    '--no-sync',
  ]);
  const port = await freePort();
  const log = openSync(join(folder, 'log'), 'w');
  const settings = [
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    `unix_socket_directories=${folder}`,
    'fsync=off',
  ];
  const [command, ...rest] = [
    ...asPostgres,
    join(programs, 'postgres'),
    '-D',
    data,
    ...settings.flatMap((each) => ['-c', each]),
  ];
  const server = spawn(command!, rest, { cwd: folder, stdio: ['ignore', log, log] });
  const ended = once(server, 'exit');
  await untilListening(port, { isGone: () => server.exitCode !== null, waitMsMax: startMsMax });
  let databases = 0;
  return {
    database() {
      const name = `test${databases++}`;
      run('createdb', ['-h', '127.0.0.1', '-p', `${port}`, '-U', 'holdfast', name], { PGPASSWORD: password });
      return `postgres://holdfast:${password}@127.0.0.1:${port}/${name}`;
    },
    async stop() {
      // Fast: those who are connected are thrown out.
      server.kill('SIGINT');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
