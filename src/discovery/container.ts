import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCodeOf, withinTime } from '#base';
import { type DatabaseKind, type Discovered, databaseTitles } from './discovered.ts';
import { type Host, readProc } from './host.ts';
import { probeDatabase } from './probe.ts';

/** Names that compose files and charts give to databases → what usually answers there. */
const usualNames: Record<string, readonly DatabaseKind[]> = {
  mongo: ['mongodb'],
  mongodb: ['mongodb'],
  redis: ['redis'],
  valkey: ['redis'],
  postgres: ['postgres'],
  postgresql: ['postgres'],
  mysql: ['mysql'],
  mariadb: ['mysql'],
  influxdb: ['influxdb'],
  db: ['postgres', 'mysql', 'mongodb'],
  database: ['postgres', 'mysql', 'mongodb'],
};
const ports: Record<DatabaseKind, number> = {
  mongodb: 27017,
  redis: 6379,
  postgres: 5432,
  mysql: 3306,
  influxdb: 8086,
};
const lookupMsMax = 2000;
/** File systems that hold nobody's data. */
const systemTypes =
  /^(overlay|proc|sysfs|tmpfs|devpts|devtmpfs|mqueue|cgroup2?|securityfs|debugfs|tracefs|pstore|bpf|configfs|hugetlbfs|fusectl|ramfs|nsfs|autofs|binfmt_misc|rpc_pipefs)$/;
const systemPaths = /^\/(proc|sys|dev|run|etc\/(hosts|hostname|resolv\.conf))(\/|$)|^\/$/;

export async function isContainer(host: Host): Promise<boolean> {
  if (host.environment.KUBERNETES_SERVICE_HOST) return true;
  for (const path of ['.dockerenv', 'run/.containerenv'])
    if (await exists(join(host.root, path))) return true;
  return /docker|kubepods|containerd|libpod/.test((await readProc(host, '1/cgroup')) ?? '');
}

/** What is mounted into this container. */
export async function findMounts(host: Host): Promise<Discovered[]> {
  const text = (await readProc(host, 'self/mountinfo')) ?? '';
  return text.split('\n').flatMap((line): Discovered[] => {
    // proc(5): id, parent, device, root, mount point, options, optional fields, "-", type, source …
    const [before, after] = line.split(' - ') as [string, string?];
    const path = before
      .split(' ')[4]
      ?.replace(/\\([0-7]{3})/g, (_, code) => String.fromCharCode(Number.parseInt(code, 8)));
    const type = after?.split(' ')[0];
    const options = before.split(' ')[5];
    if (!path || !type || systemTypes.test(type) || systemPaths.test(path)) return [];
    const isReadOnly = options?.split(',').includes('ro') === true;
    return [
      {
        kind: 'folder',
        name: path,
        where: path,
        evidence: [`it is mounted into this container (${type}${isReadOnly ? ', read-only' : ''})`],
        suggestion: path,
        confidence: 'likely',
        details: { fileSystem: type, isReadOnly },
      },
    ];
  });
}

/** Databases beside this container, by usual names and by what the environment says of services. */
export async function findNeighbours(host: Host): Promise<Discovered[]> {
  const named = Object.entries(usualNames).flatMap(([name, kinds]) =>
    kinds.map((kind): Neighbour => ({ kind, name, port: ports[kind], why: `the name ${name} leads to it` })),
  );
  const found = await Promise.all([...named, ...linkedServices(host)].map((one) => lookAt(host, one)));
  const byPlace = new Map(found.flatMap((one) => (one ? [[one.where, one] as const] : [])));
  return [...byPlace.values()];
}

interface Neighbour {
  kind: DatabaseKind;
  name: string;
  port: number;
  why: string;
}

/** `MONGO_SERVICE_HOST` and `_PORT` (Kubernetes), `MONGO_PORT_27017_TCP_ADDR` (links of Docker). */
function linkedServices({ environment }: Host): Neighbour[] {
  return Object.entries(environment).flatMap(([variable, value]): Neighbour[] => {
    const service = /^(\w+)_SERVICE_HOST$/.exec(variable)?.[1];
    const link = /^(\w+?)_PORT_(\d+)_TCP_ADDR$/.exec(variable);
    const port = Number(service ? environment[`${service}_SERVICE_PORT`] : link?.[2]);
    const kind = (Object.keys(ports) as DatabaseKind[]).find((one) => ports[one] === port);
    if (!value || !kind || !/^[\w.:-]+$/.test(value)) return [];
    return [{ kind, name: value, port, why: `the variable ${variable} points to it` }];
  });
}

async function lookAt(host: Host, { kind, name, port, why }: Neighbour): Promise<Discovered | undefined> {
  const [address] = await addressesOf(host, name);
  if (!address) return undefined;
  const answer = await probeDatabase(kind, { host: address, port, signal: host.signal });
  if (!answer) return undefined;
  const title = answer.details.isMariaDb ? 'MariaDB' : databaseTitles[kind];
  const where = `${name.includes(':') ? `[${name}]` : name}:${port}`;
  return {
    kind,
    name: answer.version ? `${title} ${answer.version}` : title,
    where,
    evidence: [why, `it answered as ${title}`],
    suggestion: `${kind}://${where}`,
    confidence: 'certain',
    details: { ...answer.details, port, ...(answer.version && { version: answer.version }) },
  };
}

async function addressesOf(host: Host, name: string): Promise<readonly string[]> {
  try {
    return await withinTime(name, { signal: host.signal, timeoutMs: lookupMsMax }, () => host.resolve(name));
  } catch (error) {
    host.signal?.throwIfAborted();
    // Nobody has that name here.
    if (error instanceof Error) return [];
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (systemCodeOf(error)) return false;
    throw error;
  }
}
