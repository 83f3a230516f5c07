import { lookup } from 'node:dns/promises';
import { type Clock, type Resolver, systemClock } from '#base';
import { describeApplication } from './application.ts';
import { findMounts, findNeighbours, isContainer } from './container.ts';
import { findDatabases } from './databases.ts';
import type { Discovered, HostFindings } from './discovered.ts';
import { findFolders, type SizeLimits } from './folders.ts';
import { type Host, readText } from './host.ts';
import { findSites } from './nginx.ts';
import { findPm2Applications } from './pm2.ts';
import { listProcesses } from './processes.ts';
import { listListeners } from './sockets.ts';
import { findSystemdApplications } from './systemd.ts';

export interface DiscoverOptions {
  signal?: AbortSignal | undefined;
  /** Ports where a database may listen under another program's name; each is asked for every kind. */
  alsoPorts?: readonly number[] | undefined;
  /** Default: 50,000 entries of a folder, 5 s for all of them. */
  limits?: SizeLimits | undefined;
  /** Folder that stands for `/`, without `/proc`. */
  root?: string | undefined;
  /** Default: `/proc`. */
  proc?: string | undefined;
  /** Default: the process's own. */
  environment?: Readonly<Record<string, string | undefined>> | undefined;
  /** Default: the system's. */
  resolve?: Resolver | undefined;
  clock?: Clock | undefined;
}

const limitsDefault: SizeLimits = { entriesMax: 50_000, durationMsMax: 5000 };

/**
 * Looks for what this host holds that could be protected. It reads files and asks servers on this machine for their
 * name; it changes nothing, logs in nowhere, and no secret is in what it tells.
 * @throws the signal's reason
 */
export async function discoverHost(options: DiscoverOptions = {}): Promise<HostFindings> {
  const host: Host = {
    root: options.root ?? '/',
    proc: options.proc ?? '/proc',
    environment: options.environment ?? process.env,
    resolve: options.resolve ?? systemResolver,
    clock: options.clock ?? systemClock,
    signal: options.signal,
    unseen: new Set(),
  };
  host.signal?.throwIfAborted();
  const processes = await listProcesses(host);
  if (processes.length === 0) host.unseen.add('no process can be seen: there is no /proc');
  const listeners = await listListeners(host, processes);
  const homes = await homesOf(host);
  const managed = [
    ...(await findPm2Applications(host, processes, homes)),
    ...(await findSystemdApplications(host, processes, homes)),
  ];
  const found: Discovered[] = [
    ...(await findDatabases(host, listeners, options.alsoPorts ?? [])),
    ...(await Promise.all(managed.map((application) => describeApplication(host, application)))),
    ...(await findSites(host, processes)),
  ];
  if (await isContainer(host)) found.push(...(await findNeighbours(host)), ...(await findMounts(host)));
  found.push(...(await findFolders(host, found, options.limits ?? limitsDefault)));
  return { found, unseen: [...host.unseen] };
}

/** Of accounts that people and services have. */
async function homesOf(host: Host): Promise<string[]> {
  const text = (await readText(host, '/etc/passwd')) ?? '';
  const homes = text.split('\n').flatMap((line) => line.split(':')[5] ?? []);
  return [...new Set(homes)].filter(
    (home) => home.startsWith('/') && home !== '/' && home !== '/nonexistent',
  );
}

const systemResolver: Resolver = async (name) =>
  (await lookup(name, { all: true })).map(({ address }) => address);
