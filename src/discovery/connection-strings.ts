import { type DatabaseKind, databaseTitles } from './discovered.ts';

/** A variable that holds the URL of a database. The URL itself, user and password stay where they are. */
export interface HiddenConnection {
  /** Name of the variable. */
  variable: string;
  kind: DatabaseKind;
  /** Hosts with ports; undefined where they cannot be told from the secret for sure. */
  hosts: string | undefined;
}

const kindsByScheme: Record<string, DatabaseKind> = {
  mongodb: 'mongodb',
  'mongodb+srv': 'mongodb',
  redis: 'redis',
  rediss: 'redis',
  postgres: 'postgres',
  postgresql: 'postgres',
  mysql: 'mysql',
  mariadb: 'mysql',
  influxdb: 'influxdb',
};
const pattern =
  /(?:^|[\s"'=,;])(?:jdbc:)?(mongodb(?:\+srv)?|rediss?|postgres(?:ql)?|mysql|mariadb|influxdb):\/\/([^\s"']*)(.*)/is;
const hostList = /^[a-z0-9._-]+(:\d{1,5})?(,[a-z0-9._-]+(:\d{1,5})?)*$|^\[[0-9a-f:]+\](:\d{1,5})?$/i;

/** The variables among these that hold the URL of a database. */
export function findConnections(
  variables: Iterable<readonly [name: string, value: unknown]>,
): HiddenConnection[] {
  const found: HiddenConnection[] = [];
  for (const [variable, value] of variables) {
    const match = typeof value === 'string' ? pattern.exec(value) : null;
    if (!match || !/^[A-Za-z_][A-Za-z0-9_.-]{0,99}$/.test(variable)) continue;
    const [, scheme, rest, after] = match as unknown as [string, string, string, string];
    found.push({
      variable,
      kind: kindsByScheme[scheme.toLowerCase()]!,
      hosts: after.includes('@') ? undefined : hostsOf(rest),
    });
  }
  return found;
}

export function describeConnection({ variable, kind, hosts }: HiddenConnection): string {
  return `${variable} holds a connection string of ${databaseTitles[kind]}${hosts ? ` to ${hosts}` : ''} (found, secret hidden)`;
}

/** Passwords with `/`, `?`, `@` or a blank that were not encoded make it unclear where the hosts begin: then none is told. */
function hostsOf(rest: string): string | undefined {
  const [authority] = rest.split(/[/?#]/) as [string];
  const signs = rest.split('@').length - 1;
  if (signs > 1 || (signs === 1 && !authority.includes('@'))) return undefined;
  const hosts = authority.slice(authority.indexOf('@') + 1);
  return hostList.test(hosts) ? hosts : undefined;
}
