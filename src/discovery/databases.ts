import { dirname } from 'node:path';
import { type DatabaseKind, type Discovered, databaseKinds, databaseTitles } from './discovered.ts';
import { type Host, readText } from './host.ts';
import { type ProbeAnswer, probeDatabase } from './probe.ts';
import { listOpenFiles, type Process } from './processes.ts';
import type { Listener } from './sockets.ts';

/** Names of the processes, and ports where a server is expected even if we may not see whose it is. */
const signs: Record<DatabaseKind, { names: readonly string[]; ports: readonly number[] }> = {
  mongodb: { names: ['mongod', 'mongos'], ports: [27017, 27018, 27019] },
  redis: { names: ['redis-server', 'valkey-server', 'keydb-server'], ports: [6379] },
  postgres: { names: ['postgres'], ports: [5432] },
  mysql: { names: ['mysqld', 'mariadbd'], ports: [3306] },
  influxdb: { names: ['influxd', 'influxdb3'], ports: [8086, 8181] },
};

/** Databases that listen. Sockets of other programs on other ports are left in peace. @param alsoPorts asked for all kinds */
export async function findDatabases(
  host: Host,
  listeners: readonly Listener[],
  alsoPorts: readonly number[],
): Promise<Discovered[]> {
  const byPort = Map.groupBy(listeners, ({ port }) => port);
  const found = await Promise.all(
    [...byPort].map(async ([port, group]) => {
      const process = group.find((listener) => listener.process)?.process;
      const addresses = group.map(({ address }) => address);
      const named = databaseKinds.find((kind) => process && signs[kind].names.includes(process.name));
      const expected = databaseKinds.filter((kind) => signs[kind].ports.includes(port));
      const kinds = named ? [named] : alsoPorts.includes(port) ? databaseKinds : expected;
      const place = { host: reachable(addresses), port };
      for (const kind of kinds) {
        const answer = await probeDatabase(kind, { ...place, signal: host.signal });
        const isMain = kind === named && signs[kind].ports.includes(port);
        if (answer || isMain) return describe(host, { kind, ...place, addresses, process, answer });
      }
      return undefined;
    }),
  );
  return found.filter((database) => database !== undefined);
}

interface Seen {
  kind: DatabaseKind;
  host: string;
  port: number;
  addresses: readonly string[];
  process: Process | undefined;
  answer: ProbeAnswer | undefined;
}

async function describe(host: Host, seen: Seen): Promise<Discovered> {
  const { kind, port, process, answer, addresses } = seen;
  const place = `${seen.host.includes(':') ? `[${seen.host}]` : seen.host}:${port}`;
  const folder = process && (await dataFolderOf(host, kind, process));
  const version = answer?.version ?? (folder && (await versionIn(host, kind, folder)));
  const title = answer?.details.isMariaDb ? 'MariaDB' : databaseTitles[kind];
  const isOpen = addresses.some((address) => !isLoopback(address));
  return {
    kind,
    name: version ? `${title} ${version}` : title,
    where: place,
    evidence: [
      process
        ? `process ${process.pid} (${process.name}) listens on port ${port}`
        : `somebody listens on port ${port}`,
      answer ? `it answered as ${title}` : `it did not answer as ${title}`,
      ...(folder ? [`its data lies in ${folder}`] : []),
      ...(isOpen ? ['it listens for other machines too'] : []),
    ],
    suggestion: `${kind}://${place}`,
    confidence: answer ? 'certain' : 'likely',
    details: {
      ...answer?.details,
      port,
      isOpen,
      ...(version && { version }),
      ...(folder && { dataFolder: folder }),
      ...(process?.unit && { unit: process.unit }),
    },
  };
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}

/** Where this host itself reaches what listens on these addresses. */
function reachable(addresses: readonly string[]): string {
  if (addresses.some((address) => address === '0.0.0.0' || address === '::')) return '127.0.0.1';
  return addresses.find((address) => address.startsWith('127.')) ?? addresses[0]!;
}

/** Files that a server keeps open in its data folder. */
const openFiles: Partial<Record<DatabaseKind, RegExp>> = {
  mongodb: /^(.*)\/(mongod\.lock|WiredTiger\.lock)$/,
  influxdb: /^(.*)\/(influxd\.bolt|data\/.+\/fields\.idx|wal\/.+\.wal)$/,
};

async function dataFolderOf(host: Host, kind: DatabaseKind, process: Process): Promise<string | undefined> {
  const given = argumentOf(process.args, ['--dbpath', '--datadir', '-D']);
  if (given?.startsWith('/')) return given;
  const pattern = openFiles[kind];
  if (pattern)
    for (const path of (await listOpenFiles(host, process.pid)) ?? []) {
      const folder = pattern.exec(path)?.[1];
      if (folder !== undefined) return folder;
    }
  if (pattern) return configuredFolder(host, process);
  // These work in their data folder.
  return process.folder === '/' ? undefined : process.folder;
}

async function configuredFolder(host: Host, { args }: Process): Promise<string | undefined> {
  const path = argumentOf(args, ['-f', '--config', '-config']);
  const text = path?.startsWith('/') ? await readText(host, path) : undefined;
  const folder = /^\s*(?:dbPath:|dbpath\s*=)\s*"?([^"\s]+)/m.exec(text ?? '')?.[1];
  const influx = /^\s*dir\s*=\s*"(\/[^"]+)"/m.exec(text ?? '')?.[1];
  return folder ?? (influx && dirname(influx));
}

function argumentOf(args: readonly string[], names: readonly string[]): string | undefined {
  for (const [i, arg] of args.entries()) {
    const [name, value] = arg.split('=', 2) as [string, string?];
    if (names.includes(name)) return value ?? args[i + 1];
  }
  return undefined;
}

async function versionIn(host: Host, kind: DatabaseKind, folder: string): Promise<string | undefined> {
  return kind === 'postgres' ? (await readText(host, `${folder}/PG_VERSION`))?.trim() : undefined;
}
