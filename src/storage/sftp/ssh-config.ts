import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';

/** What `~/.ssh/config` says of a host, as far as we heed it. */
export interface HostSettings {
  hostName: string;
  port?: number;
  user?: string;
  /** In the order in which they are tried. */
  identityFiles: string[];
  /** Empty for a direct connection. */
  proxyJump?: string;
}

/**
 * The settings of a host: for each word the first value that is found, key files all. Heeds HostName, Port, User,
 * IdentityFile and ProxyJump; passes over Match blocks and Include (ssh_config(5)).
 */
export function settingsOf(host: string, configText: string): HostSettings {
  const found: Found = { identityFiles: [] };
  let applies = true;
  for (const line of configText.split(/\r?\n/)) {
    const [, word = '', rest = ''] = /^\s*([a-z]+)(?:\s*=\s*|\s+)(.*?)\s*$/i.exec(line) ?? [];
    const values = wordsOf(rest);
    const [value] = values;
    if (value === undefined) continue;
    const keyword = word.toLowerCase();
    if (keyword === 'host') applies = matchesHost(values, host);
    else if (keyword === 'match') applies = false;
    else if (applies) setOnce(found, keyword, value);
  }
  const hostName = found.hostName?.replaceAll('%h', host) ?? host;
  return { ...found, hostName, identityFiles: found.identityFiles.map((path) => expanded(path, hostName)) };
}

type Found = Partial<HostSettings> & { identityFiles: string[] };

function setOnce(settings: Found, keyword: string, value: string): void {
  if (keyword === 'hostname') settings.hostName ??= value;
  else if (keyword === 'port') settings.port ??= Number(value);
  else if (keyword === 'user') settings.user ??= value;
  else if (keyword === 'proxyjump') settings.proxyJump ??= value.toLowerCase() === 'none' ? '' : value;
  else if (keyword === 'identityfile' && value.toLowerCase() !== 'none') settings.identityFiles.push(value);
}

/**
 * Whether one of the patterns fits and none that begins with `!` does.
 * @param patterns with `*` for any text and `?` for one character
 */
export function matchesHost(patterns: readonly string[], host: string): boolean {
  const fits = (pattern: string) => {
    const text = pattern
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.');
    return new RegExp(`^${text}$`, 'i').test(host);
  };
  const isRefused = patterns.some((pattern) => pattern.startsWith('!') && fits(pattern.slice(1)));
  return !isRefused && patterns.some((pattern) => !pattern.startsWith('!') && fits(pattern));
}

/** Words between blanks; a word in quotes may hold some. */
function wordsOf(text: string): string[] {
  return [...text.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
}

function expanded(path: string, hostName: string): string {
  const tokens: Record<string, string> = {
    '%d': homedir(),
    '%h': hostName,
    '%u': userInfo().username,
    '%%': '%',
  };
  const full = path.replace(/%[dhu%]/g, (token) => tokens[token]!);
  return full.startsWith('~/') ? join(homedir(), full.slice(2)) : full;
}
