import { readFileSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import { systemCodeOf } from '#base';
import { StorageError } from '../errors.ts';
import { Credentials } from './credentials.ts';
import type { SftpOptions } from './options.ts';
import { type HostSettings, settingsOf } from './ssh-config.ts';

/** Where a location leads. */
export interface SftpPlace {
  user?: string;
  host: string;
  port?: number;
  /** Absolute, or relative to where a login begins. */
  path: string;
}

/** One host on the way. */
export interface Hop {
  user: string;
  host: string;
  port: number;
  credentials: Credentials;
}

/** Jump hosts may have jump hosts of their own; a circle is a mistake of the configuration. */
const hopsMax = 8;

/** `~/.ssh`, or what stands for it. */
export function sshFolderOf({ sshFolder }: SftpOptions): string {
  return sshFolder ?? join(homedir(), '.ssh');
}

/** The hosts to log in at one after the other, the last one being the place itself. */
export function routeTo(place: Omit<SftpPlace, 'path'>, options: SftpOptions): Hop[] {
  const configText = configIn(sshFolderOf(options));
  const settings = settingsOf(place.host, configText);
  const route = [hopTo(place, settings, options)];
  let jump = options.jump ?? settings.proxyJump;
  while (jump) {
    const before = jump.split(',').map((text) => jumpIn(text.trim()));
    const hops = before.map((each) => {
      const its = settingsOf(each.host, configText);
      // The password is for the place; who runs the jump host must not learn it.
      return { its, hop: hopTo(each, its, { ...options, password: undefined }) };
    });
    route.unshift(...hops.map(({ hop }) => hop));
    if (route.length > hopsMax) throw badJump(jump, `leads through more than ${hopsMax} hosts`);
    jump = hops[0]?.its.proxyJump;
  }
  return route;
}

function hopTo(
  { user, port }: Omit<SftpPlace, 'path'>,
  settings: HostSettings,
  options: { [Key in keyof SftpOptions]: SftpOptions[Key] | undefined },
): Hop {
  const { password, keyFile, passphrase, agent, sshFolder } = options;
  const login = user ?? settings.user ?? userInfo().username;
  return {
    user: login,
    host: settings.hostName,
    port: port ?? settings.port ?? 22,
    credentials: new Credentials({
      user: login,
      password,
      keyFile,
      passphrase,
      agent,
      identityFiles: settings.identityFiles,
      sshFolder: sshFolderOf(sshFolder ? { sshFolder } : {}),
    }),
  };
}

/** `user@host:port`, `ssh://user@host:port`, `[2001:db8::1]:22`. */
function jumpIn(text: string): Omit<SftpPlace, 'path'> {
  const pattern = /^(?:ssh:\/\/)?(?:(?<user>[^@]+)@)?(?<host>[^@:/[\]]+|\[[^\]]+\])(?::(?<port>\d{1,5}))?$/;
  const found = pattern.exec(text)?.groups;
  if (!found) throw badJump(text, 'is not understood');
  const { user, host, port } = found;
  return {
    ...(user && { user }),
    host: host!.replace(/^\[|\]$/g, ''),
    ...(port && { port: Number(port) }),
  };
}

function badJump(jump: string, problem: string): StorageError {
  return new StorageError('storage.location', `the jump host "${jump}" ${problem}`, {
    hint: 'Write it as user@host or user@host:port, several with commas between them.',
  });
}

function configIn(folder: string): string {
  try {
    return readFileSync(join(folder, 'config'), 'utf8');
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return '';
    throw new StorageError('storage.access-denied', `cannot read ${join(folder, 'config')}`, {
      hint: 'Give the user that runs Holdfast the right to read it.',
      cause: error,
    });
  }
}
