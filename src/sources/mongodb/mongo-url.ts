import { SourceError } from '../errors.ts';

/** What may be told of a MongoDB URL, and what may not. */
export interface MongoUrl {
  /** For the driver. Holds the password. */
  secret: string;
  /** Hosts with ports, in order of their text: `db1.example.org:27018`. */
  hosts: readonly string[];
  user: string | undefined;
  /** Names of the options in it, in lower case. */
  options: ReadonlySet<string>;
  /** Removes every secret of the URL from a text. */
  redact(text: string): string;
}

const form =
  /^mongodb(?:\+srv)?:\/\/(?:([^:@/?#]*)(?::([^:@/?#]*))?@)?((?:\[[\da-f:.%]+\]|[\w.-]+)(?::\d{1,5})?(?:,(?:\[[\da-f:.%]+\]|[\w.-]+)(?::\d{1,5})?)*)(?:\/([^?#@]*))?(?:\?([^#@]*))?$/i;

export function isMongoUrl(text: string): boolean {
  return /^mongodb(\+srv)?:\/\//i.test(text);
}

/** Reads a URL strictly, so that no part of a password is taken for a host. @throws SourceError 'sources.location', which does not show it */
export function parseMongoUrl(url: string): MongoUrl {
  const match = form.exec(url);
  if (!match) {
    throw new SourceError('sources.location', 'the MongoDB URL cannot be read', {
      hint: 'Write it like mongodb://user:password@host:27017/?authSource=admin; in user and password write % : / ? # [ ] @ as %25 %3A %2F %3F %23 %5B %5D %40.',
    });
  }
  const [, user, password, hosts, , query = ''] = match;
  const secrets = secretsOf(password, query);
  return {
    secret: url,
    hosts: hosts!.toLowerCase().split(',').sort(),
    user: user ? decodeText(user) : undefined,
    options: new Set(query.split('&').map((pair) => pair.split('=')[0]!.toLowerCase())),
    redact: (text) => secrets.reduce((rest, secret) => rest.replaceAll(secret, '***'), text),
  };
}

/** The URL as it may be shown; one that cannot be read is not shown. */
export function withoutPassword(url: string): string {
  try {
    return parseMongoUrl(url).redact(url);
  } catch {
    return 'mongodb://…';
  }
}

/** The folder of a deployment in snapshots: its first host, and the port where it is not the usual one. */
export function folderOf({ hosts }: MongoUrl): string {
  const [, name, port] = /^(.*?)(?::(\d+))?$/.exec(
    hosts[0]!.replace(/^\[(.*)\]/, (_, v6) => v6.replaceAll(':', '_')),
  )!;
  return `mongodb-${name}${port && port !== '27017' ? `-${port}` : ''}`;
}

/** The same of a URL as text. @throws SourceError 'sources.location' */
export function deploymentFolderOf(url: string): string {
  return folderOf(parseMongoUrl(url));
}

/** Longest first: one may hold another. */
function secretsOf(password: string | undefined, query: string): string[] {
  const values = query
    .split('&')
    .filter((pair) => /password|authmechanismproperties/i.test(pair.split('=')[0]!))
    .map((pair) => pair.slice(pair.indexOf('=') + 1));
  return [...(password ? [password] : []), ...values]
    .flatMap((secret) => [secret, decodeText(secret)])
    .filter((secret) => secret !== '')
    .sort((a, b) => b.length - a.length);
}

function decodeText(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
