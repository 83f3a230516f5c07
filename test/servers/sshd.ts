import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SftpOptions } from '#storage';
import { requireProgram } from './debian.ts';
import { freePort, untilListening } from './free-port.ts';

/** The one account; it exists in the server's eyes only. */
const user = { name: 'keeper', id: 64_321 };
const password = 'sftp-secret';
/** openssl passwd -6 -salt holdfast sftp-secret */
const passwordHash =
  '$6$holdfast$brdj/wkn82aaMjnsE78KENQ1nlGPQy9C.4.tOysJD/HQb3FWT6m2UGh5.wF6tjLPvDvGXj8CENh3EORadtZ43/';

interface SshdOptions {
  /** What the account sees as `/data`; default: an empty folder of its own. */
  data?: string;
  /** SFTP requests that are refused: `posix-rename`, `fsync` … (sftp-server(8), -P). */
  forbid?: readonly string[];
  /** What runs instead of SFTP. */
  command?: string;
  /** More lines of sshd_config, before the others. */
  config?: readonly string[];
}

/** A running OpenSSH server on 127.0.0.1. The account has no shell, is shut into a folder, and may use SFTP only. */
export interface Sshd {
  port: number;
  user: string;
  password: string;
  /** A key without a passphrase that the account may log in with. */
  keyFile: string;
  /** Holds the server's key. */
  knownHostsFile: string;
  /** The folder that the account sees as `/data`. */
  data: string;
  /** Its temporary folder, for keys and the like. */
  folder: string;
  /** `sftp:` and the path as the account sees it. @param port of a proxy before the server */
  location(path: string, port?: number): string;
  /** Logs in by key; nothing is taken from the home of who runs the tests. */
  options: SftpOptions;
  stop(): Promise<void>;
}

const startMsMax = 30_000;

export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  const program = requireProgram('sshd');
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-sshd-'));
  const port = await freePort();
  const data = options.data ?? join(folder, 'data');
  mkdirSync(data, { recursive: true });
  chownSync(data, user.id, user.id);
  for (const name of ['host', 'client']) makeKey(join(folder, name));
  writeFileSync(join(folder, 'sshd_config'), configOf(folder, port, options));
  writeFileSync(join(folder, 'start'), scriptOf(folder, data, program), { mode: 0o700 });
  chmodSync(folder, 0o755);
  const log = openSync(join(folder, 'log'), 'w');
  const args = ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-e', join(folder, 'start')];
  const server = spawn('unshare', args, { stdio: ['ignore', log, log] });
  closeSync(log);
  const ended = once(server, 'exit');
  const stop = async () => {
    server.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await untilListening(port, { isGone: () => server.exitCode !== null, waitMsMax: startMsMax });
  } catch (error) {
    const text = readFileSync(join(folder, 'log'), 'utf8');
    await stop();
    throw new Error(`sshd did not start:\n${text}`, { cause: error });
  }
  const knownHostsFile = join(folder, 'known_hosts');
  writeFileSync(knownHostsFile, `[127.0.0.1]:${port} ${readFileSync(join(folder, 'host.pub'), 'utf8')}`);
  const keyFile = join(folder, 'client');
  return {
    ...{ port, user: user.name, password, keyFile, knownHostsFile, data, folder, stop },
    location: (path, at = port) => `sftp://${user.name}@127.0.0.1:${at}/${path}`,
    options: { keyFile, knownHostsFile, sshFolder: folder },
  };
}

/** @param passphrase encrypts it */
export function makeKey(path: string, { type = 'ed25519', passphrase = '' } = {}): void {
  const run = spawnSync('ssh-keygen', ['-q', '-t', type, '-N', passphrase, '-f', path], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`ssh-keygen: ${run.error?.message ?? run.stderr}`);
}

function configOf(folder: string, port: number, { config = [], forbid = [], command }: SshdOptions): string {
  const refused = forbid.length > 0 ? ` -P ${forbid.join(',')}` : '';
  return [
    ...config,
    `ListenAddress 127.0.0.1:${port}`,
    `HostKey ${join(folder, 'host')}`,
    'PidFile none',
    'UsePAM no',
    'StrictModes no',
    `AuthorizedKeysFile ${join(folder, 'client.pub')}`,
    'PasswordAuthentication yes',
    'MaxStartups 100',
    'PrintMotd no',
    'Subsystem sftp internal-sftp',
    `Match User ${user.name}`,
    '  ChrootDirectory /srv',
    `  ForceCommand ${command ?? `internal-sftp${refused}`}`,
    '',
  ].join('\n');
}

/**
 * In a namespace of its own the server sees our account, and what sshd wants of the machine (/run/sshd, a jail that is
 * root's up to the top), without any change to the machine. Its sessions end with it.
 */
function scriptOf(folder: string, data: string, program: string): string {
  const account = `${user.name}:x:${user.id}:${user.id}::/data:/usr/sbin/nologin`;
  return `
mount -t tmpfs -o mode=755 tmpfs /srv
mkdir /srv/data
mount --rbind '${data}' /srv/data
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/sshd
for name in passwd shadow; do cp -p /etc/$name '${folder}'/$name; done
echo '${account}' >> '${folder}/passwd'
echo '${user.name}:${passwordHash}:20000::::::' >> '${folder}/shadow'
for name in passwd shadow; do mount --bind '${folder}'/$name /etc/$name; done
exec '${program}' -D -e -f '${folder}/sshd_config'
`;
}
