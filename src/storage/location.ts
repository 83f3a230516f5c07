import { resolve } from 'node:path';
import { StorageError } from './errors.ts';

/** A place as the user names it, by kind. No kind holds a secret. */
export type Location =
  /** An absolute path. */
  | { kind: 'local'; path: string }
  /** `endpoint` is `https://host` or `http://host:port`; `prefix` is empty or has no slash at its ends. */
  | { kind: 's3'; endpoint: string; bucket: string; prefix: string }
  | { kind: 'azure'; container: string; prefix: string }
  | { kind: 'gs'; bucket: string; prefix: string }
  | { kind: 'gdrive'; folder: string }
  /** `path` is absolute, or relative to where a login begins. */
  | { kind: 'sftp'; user?: string; host: string; port?: number; path: string }
  /** `url` ends in a slash. */
  | { kind: 'rest'; url: string };

export type LocationKind = Location['kind'];
type Of<Kind extends LocationKind> = Extract<Location, { kind: Kind }>;

/** Kind → how its notation reads, for hints, and how what follows `kind:` is parsed. */
const notations: { [Kind in LocationKind]: { example: string; parse(rest: string): Of<Kind> | undefined } } =
  {
    local: { example: '/path', parse: parseLocal },
    s3: { example: 's3:https://host/bucket/prefix', parse: parseS3 },
    azure: { example: 'azure:container:/prefix', parse: parseAzure },
    gs: { example: 'gs:bucket:/prefix', parse: parseGs },
    gdrive: { example: 'gdrive:folder', parse: parseGdrive },
    sftp: { example: 'sftp:user@host:/path', parse: parseSftp },
    rest: { example: 'rest:https://host/', parse: parseRest },
  };

/**
 * Parses a location: restic's notations, and `gdrive:`. A text without a colon after its first word is a path.
 * A password is refused, since everybody on the machine can read arguments; no error repeats it.
 * @throws StorageError 'storage.location'
 */
export function parseLocation(text: string): Location {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1];
  if (!scheme) return notations.local.parse(text) ?? fail(text, 'is empty', 'Give the path of a folder.');
  const kind = scheme.toLowerCase();
  if (!isKind(kind)) {
    const examples = Object.values(notations).map(({ example }) => example);
    const hint = `Write local:PATH for a path with a colon, or one of ${examples.join(', ')}.`;
    return fail(text, 'names no kind of storage', hint);
  }
  const { example, parse } = notations[kind];
  const rest = text.slice(scheme.length + 1);
  if (withUserInfo.includes(kind)) assertNoSecret(text, rest);
  return parse(rest) ?? fail(text, 'is not understood', `Write it as ${example}.`);
}

/** Kinds whose notation has room for `user:password@`. */
const withUserInfo: readonly LocationKind[] = ['s3', 'sftp', 'rest'];

/** A colon before the first `@` announces a password, unless a port or a path follows. */
function assertNoSecret(text: string, rest: string): void {
  const withoutScheme = rest.replace(/^(?:https?:)?\/\//i, '');
  const hasPassword = /^[^:@/]*:(?!\d*\/)[^@]*@/s.test(withoutScheme);
  const hasQuery = rest !== withoutScheme && /[?#]/.test(rest);
  if (!hasPassword && !hasQuery) return;
  const hint = 'Leave it out; give the credentials by environment variable or in the configuration.';
  fail(text, hasPassword ? 'contains a password' : 'contains a query', hint);
}

function fail(text: string, problem: string, hint: string): never {
  throw new StorageError('storage.location', `the location "${withoutSecrets(text)}" ${problem}`, { hint });
}

/** For errors: leaves out everything that could be a secret, rather too much. */
function withoutSecrets(text: string): string {
  const start = new RegExp(`^(?:(?:${Object.keys(notations).join('|')}):)?(?:https?:)?(?://)?`, 'i').exec(
    text,
  )![0];
  const rest = text.slice(start.length).replace(/[?#].*$/s, '?…');
  return start + rest.replace(/^([^:@]*):.*@/s, '$1:***@');
}

function isKind(kind: string): kind is LocationKind {
  return Object.hasOwn(notations, kind);
}

function parseLocal(path: string): Of<'local'> | undefined {
  return path === '' || path.includes('\0') ? undefined : { kind: 'local', path: resolve(path) };
}

/** `https://host/bucket/prefix`, `host/bucket/prefix`, `//host/bucket/prefix`. */
function parseS3(rest: string): Of<'s3'> | undefined {
  const url = urlOf(/^https?:\/\//i.test(rest) ? rest : `https://${rest.replace(/^\/\//, '')}`);
  if (!url || url.username) return undefined;
  const [bucket, ...prefix] = partsOf(decoded(url.pathname));
  return bucket ? { kind: 's3', endpoint: url.origin, bucket, prefix: prefix.join('/') } : undefined;
}

/** `container:/prefix`; the prefix may be left out. */
function parseAzure(rest: string): Of<'azure'> | undefined {
  const [container = '', prefix = ''] = splitAtColon(rest);
  return isPlain(container) ? { kind: 'azure', container, prefix: partsOf(prefix).join('/') } : undefined;
}

function parseGs(rest: string): Of<'gs'> | undefined {
  const [bucket = '', prefix = ''] = splitAtColon(rest);
  return isPlain(bucket) ? { kind: 'gs', bucket, prefix: partsOf(prefix).join('/') } : undefined;
}

function parseGdrive(rest: string): Of<'gdrive'> | undefined {
  const folder = partsOf(rest).join('/');
  return folder ? { kind: 'gdrive', folder } : undefined;
}

/** `user@host:path` as scp has it, or `//user@host:port/path`, there with a second slash for an absolute path (restic). */
function parseSftp(rest: string): Of<'sftp'> | undefined {
  const found =
    /^\/\/(?:(?<user>[^@:/]+)@)?(?<host>[^@:/[\]]+|\[[^\]]+\])(?::(?<port>\d{1,5}))?\/(?<path>.+)$/s.exec(
      rest,
    ) ?? /^(?:(?<user>[^@:/]+)@)?(?<host>[^@:/[\]]+|\[[^\]]+\]):(?<path>.+)$/s.exec(rest);
  if (!found?.groups) return undefined;
  const { user, host, port, path } = found.groups;
  return {
    kind: 'sftp',
    ...(user ? { user } : {}),
    host: host!.replace(/^\[|\]$/g, ''),
    ...(port ? { port: Number(port) } : {}),
    path: path!,
  };
}

function parseRest(rest: string): Of<'rest'> | undefined {
  const url = /^https?:\/\//i.test(rest) ? urlOf(rest) : undefined;
  return url ? { kind: 'rest', url: url.href.endsWith('/') ? url.href : `${url.href}/` } : undefined;
}

function urlOf(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

/** What is not percent-encoded stays as it is. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '');
}

function splitAtColon(text: string): string[] {
  const colon = text.indexOf(':');
  return colon < 0 ? [text] : [text.slice(0, colon), text.slice(colon + 1)];
}

function isPlain(name: string): boolean {
  return name !== '' && !name.includes('/');
}
