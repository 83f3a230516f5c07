import { readFileSync } from 'node:fs';
import { messageOf } from '#base';
import { StorageError } from '../errors.ts';

/** A server that nobody vouches for yet. */
export interface HostKeyQuestion {
  host: string;
  port: number;
  /** `ssh-ed25519` … */
  keyType: string;
  /** As `ssh-keygen -l` prints it: `SHA256:` and base64 without padding. */
  fingerprint: string;
}

/** What SFTP needs to know beyond the location; the rest is read from `~/.ssh`, as ssh does. */
export interface SftpOptions {
  /** For the storage's host only; a jump host never sees it. */
  password?: string;
  /** A private key; without it, the agent's and those of `~/.ssh`. */
  keyFile?: string;
  /** Of the key, where it is encrypted. */
  passphrase?: string;
  /** Socket of an ssh agent. */
  agent?: string;
  /** Hosts to go through, `user@host:port`, separated by commas, the nearest first. */
  jump?: string;
  /** Default: `~/.ssh/known_hosts`, then the machine's. */
  knownHostsFile?: string;
  /** Default: `~/.ssh`. */
  sshFolder?: string;
  /** Asked when a host is not known. When the answer is true, its key is added to the known hosts; without the question it is refused. */
  askHostKey?: (question: HostKeyQuestion) => Promise<boolean>;
}

/** Variables for people who run one command. */
export function sftpOptionsFrom(env: Record<string, string | undefined>): SftpOptions {
  const password = secretFrom(env, 'HOLDFAST_SFTP_PASSWORD');
  const passphrase = secretFrom(env, 'HOLDFAST_SFTP_KEY_PASSPHRASE');
  return {
    ...(password && { password }),
    ...(passphrase && { passphrase }),
    ...(env.HOLDFAST_SFTP_KEY_FILE && { keyFile: env.HOLDFAST_SFTP_KEY_FILE }),
    ...(env.HOLDFAST_SFTP_JUMP && { jump: env.HOLDFAST_SFTP_JUMP }),
    ...(env.HOLDFAST_SFTP_KNOWN_HOSTS && { knownHostsFile: env.HOLDFAST_SFTP_KNOWN_HOSTS }),
    ...(env.SSH_AUTH_SOCK && { agent: env.SSH_AUTH_SOCK }),
  };
}

/** The variable itself, or the content of the file that `NAME_FILE` names, without the line's end. */
function secretFrom(env: Record<string, string | undefined>, name: string): string | undefined {
  const file = env[`${name}_FILE`];
  if (env[name] || !file) return env[name];
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw new StorageError('storage.location', `cannot read ${name}_FILE: ${messageOf(error)}`, {
      hint: 'Check the path and that this account may read it.',
      cause: error,
    });
  }
}
