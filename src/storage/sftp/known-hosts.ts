import { createHash, createHmac } from 'node:crypto';
import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { messageOf, systemCodeOf } from '#base';
import { StorageError } from '../errors.ts';
import { matchesHost } from './ssh-config.ts';

/** What the known hosts say of a server's key. */
export type HostKeyVerdict = 'known' | 'unknown' | 'changed' | 'revoked';

export interface Server {
  host: string;
  port: number;
}

interface KnownKey {
  isRevoked: boolean;
  type: string;
  /** base64 */
  key: string;
}

/** The keys that files in the format of known_hosts hold (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). */
export class KnownHosts {
  readonly #files: readonly string[];

  /** @param files the first one is added to; those that are not there are empty */
  constructor(files: readonly [string, ...string[]]) {
    this.#files = files;
  }

  /** @param key as it stands in the protocol */
  verdictOn(server: Server, key: Uint8Array): HostKeyVerdict {
    const known = this.#keysOf(server);
    const text = Buffer.from(key).toString('base64');
    const same = known.filter((each) => each.key === text);
    if (same.some(({ isRevoked }) => isRevoked)) return 'revoked';
    if (same.length > 0) return 'known';
    // Of another type, too: who cannot sign with the known key would offer one of a type that we do not know.
    return known.some(({ isRevoked }) => !isRevoked) ? 'changed' : 'unknown';
  }

  /** The types of the keys that are known, so that the server is asked for one of them. */
  typesOf(server: Server): string[] {
    return this.#keysOf(server)
      .filter(({ isRevoked }) => !isRevoked)
      .map(({ type }) => type);
  }

  add(server: Server, key: Uint8Array): void {
    const [file] = this.#files as readonly [string];
    const line = `${nameOf(server)} ${typeOf(key)} ${Buffer.from(key).toString('base64')}\n`;
    // Somebody's editor may have left the last line without its end.
    const isOpenLine = /[^\n]$/.test(textOf(file));
    try {
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
      appendFileSync(file, isOpenLine ? `\n${line}` : line, { mode: 0o600 });
    } catch (error) {
      throw notUsable(file, error);
    }
  }

  #keysOf(server: Server): KnownKey[] {
    const lines = this.#files.flatMap((file) => textOf(file).split(/\r?\n/));
    return lines.flatMap((line) => keyIn(line, nameOf(server)) ?? []);
  }
}

/** As `ssh-keygen -l` prints it. */
export function fingerprintOf(key: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** A key begins with its type: uint32 length, text (RFC 4253, 6.6). */
export function typeOf(key: Uint8Array): string {
  const bytes = Buffer.from(key);
  return bytes.toString('latin1', 4, 4 + bytes.readUInt32BE(0));
}

function nameOf({ host, port }: Server): string {
  return port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`;
}

/** The key of the line, when the line is about this host. Lines about certificates are passed over: we know none. */
function keyIn(line: string, name: string): KnownKey | undefined {
  if (/^\s*(#|$)/.test(line)) return undefined;
  const words = line.trim().split(/\s+/);
  const marker = words[0]?.startsWith('@') ? words.shift() : undefined;
  const [hosts, type, key] = words;
  const isHeeded = marker === undefined || marker === '@revoked';
  if (!isHeeded || !hosts || !type || !key) return undefined;
  return isAbout(hosts, name) ? { isRevoked: marker !== undefined, type, key } : undefined;
}

/** `|1|SALT|HMAC-SHA1 OF THE NAME`, or patterns separated by commas. In `[host]:port` the brackets stand for themselves. */
function isAbout(hosts: string, name: string): boolean {
  const [, salt, hash] = /^\|1\|([^|]+)\|([^|]+)$/.exec(hosts) ?? [];
  if (!salt) return matchesHost(hosts.split(','), name);
  return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === hash;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return '';
    throw notUsable(file, error);
  }
}

function notUsable(file: string, cause: unknown): StorageError {
  return new StorageError('storage.access-denied', `cannot use the known hosts: ${messageOf(cause)}`, {
    hint: `Give the user that runs Holdfast the right to read and write ${file}, or name another file by HOLDFAST_SFTP_KNOWN_HOSTS.`,
    cause,
  });
}
