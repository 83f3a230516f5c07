import { join } from 'node:path';
import type { Readable } from 'node:stream';
import ssh2, { type ServerHostKeyAlgorithm, type Client as Ssh } from 'ssh2';
import { messageOf } from '#base';
import { StorageError } from '../errors.ts';
import { fingerprintOf, type HostKeyVerdict, KnownHosts, typeOf } from './known-hosts.ts';
import type { HostKeyQuestion, SftpOptions } from './options.ts';
import { type Hop, sshFolderOf } from './route.ts';
import { loginErrorOf } from './sftp-error.ts';

const loginMsMax = 30_000;
/** Also keeps routers on the way from forgetting the connection. Answers may wait behind 2 MiB of data: hence two minutes. */
const keepalive = { keepaliveInterval: 15_000, keepaliveCountMax: 8 };
const machineKnownHosts = '/etc/ssh/ssh_known_hosts';

/** Logs in at each host of the route through the one before it. @returns the connections, to be ended from the last */
export async function logIn(route: readonly Hop[], options: SftpOptions): Promise<Ssh[]> {
  const files = options.knownHostsFile ?? join(sshFolderOf(options), 'known_hosts');
  const knownHosts = new KnownHosts([files, machineKnownHosts]);
  const clients: Ssh[] = [];
  try {
    for (const hop of route) {
      const through = clients.at(-1);
      clients.push(await logInAt(hop, { knownHosts, askHostKey: options.askHostKey, through }));
    }
    return clients;
  } catch (error) {
    for (const client of clients.reverse()) client.destroy();
    throw error;
  }
}

interface Surroundings {
  knownHosts: KnownHosts;
  askHostKey: SftpOptions['askHostKey'];
  through: Ssh | undefined;
}

/** When somebody must be asked for the key, the server does not wait for the answer: the connection is made anew. */
async function logInAt(hop: Hop, { knownHosts, askHostKey, through }: Surroundings): Promise<Ssh> {
  for (let isAsked = false; ; isAsked = true) {
    const seen: SeenKey = {};
    try {
      return await connect(hop, knownHosts, seen, through && (await tunnel(through, hop)));
    } catch (error) {
      const { key, verdict } = seen;
      if (!key || !verdict || verdict === 'known')
        throw loginErrorOf(error, hop, hop.credentials.description);
      const question = {
        host: hop.host,
        port: hop.port,
        keyType: typeOf(key),
        fingerprint: fingerprintOf(key),
      };
      const isAccepted = verdict === 'unknown' && !isAsked && ((await askHostKey?.(question)) ?? false);
      if (!isAccepted) throw distrust(verdict, question);
      knownHosts.add(hop, key);
    }
  }
}

interface SeenKey {
  key?: Uint8Array;
  verdict?: HostKeyVerdict;
}

function connect(hop: Hop, knownHosts: KnownHosts, seen: SeenKey, sock: Readable | undefined): Promise<Ssh> {
  const { promise, resolve, reject } = Promise.withResolvers<Ssh>();
  const client = new ssh2.Client();
  const fail = (error: unknown) => {
    client.destroy();
    reject(error);
  };
  client.on('ready', () => resolve(client));
  // An agent that cannot be reached is one way less to log in, no more.
  client.on('error', (error) => (error.level === 'agent' ? undefined : fail(error)));
  client.on('close', () => fail(new Error('the server closed the connection')));
  client.connect({
    host: hop.host,
    port: hop.port,
    username: hop.user,
    ...(sock && { sock }),
    authHandler: hop.credentials.handler(),
    algorithms: { serverHostKey: preferring(knownHosts.typesOf(hop)) },
    hostVerifier: (key: Buffer) => {
      seen.key = key;
      seen.verdict = knownHosts.verdictOn(hop, key);
      return seen.verdict === 'known';
    },
    readyTimeout: loginMsMax,
    ...keepalive,
  });
  client.setNoDelay(true);
  return promise;
}

function tunnel(through: Ssh, { host, port }: Hop): Promise<Readable> {
  return new Promise((resolve, reject) => {
    through.forwardOut('127.0.0.1', 0, host, port, (error, channel) => {
      if (!error) return resolve(channel);
      const message = `the jump host cannot reach ${host}:${port}: ${messageOf(error)}`;
      const hint = 'Check the host and that the jump host allows forwarding (AllowTcpForwarding).';
      reject(new StorageError('storage.unreachable', message, { hint, cause: error }));
    });
  });
}

const algorithms: readonly ServerHostKeyAlgorithm[] = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
  'ssh-rsa',
];

/** All algorithms, those first whose keys are known: else the server would show another of its keys. */
function preferring(knownTypes: readonly string[]): ServerHostKeyAlgorithm[] {
  const isKnown = (name: string) => knownTypes.includes(name.replace(/^rsa-sha2-.*/, 'ssh-rsa'));
  return [...algorithms.filter(isKnown), ...algorithms.filter((name) => !isKnown(name))];
}

function distrust(verdict: HostKeyVerdict, question: HostKeyQuestion): StorageError {
  const { host, port, keyType, fingerprint } = question;
  const key = `${keyType} ${fingerprint}`;
  const [why, hint] = {
    known: ['is known', ''],
    unknown: [
      `is not known; its key is ${key}`,
      `Compare this fingerprint with the server's (ssh-keygen -l), then accept it: run a command at a terminal, or ssh-keyscan -p ${port} ${host} >> ~/.ssh/known_hosts.`,
    ],
    changed: [
      `shows another key than the known one: ${key}`,
      'Somebody may stand between you and the server. If its key was changed on purpose, remove the old line from known_hosts (ssh-keygen -R).',
    ],
    revoked: [`shows a key that is revoked: ${key}`, 'Do not trust this server; ask who runs it.'],
  }[verdict] as [string, string];
  return new StorageError('storage.untrusted', `the SSH server ${host}:${port} ${why}`, {
    hint,
    context: { ...question },
  });
}
