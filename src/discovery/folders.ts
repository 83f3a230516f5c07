import type { Stats } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCodeOf } from '#base';
import type { Discovered } from './discovered.ts';
import { type Host, isFolder, listNames } from './host.ts';

/** How far sizes are counted. */
export interface SizeLimits {
  entriesMax: number;
  /** For all folders together. */
  durationMsMax: number;
}

/** A folder and why it may be worth protecting. */
interface Candidate {
  path: string;
  why: string;
}

const knownFolders: readonly Candidate[] = [
  { path: '/etc/nginx', why: 'it configures nginx' },
  { path: '/etc/apache2', why: 'it configures Apache' },
  { path: '/etc/caddy', why: 'it configures Caddy' },
  { path: '/etc/letsencrypt', why: 'it holds certificates and their keys' },
];
/** Each folder in them is one of its own. */
const parents = ['/var/www', '/srv'];
const uploadNames = /^(uploads?|media|files|attachments|storage|data|public\/(uploads?|media|files))$/;

/** Folders worth protecting: of applications and sites, their uploads, and where such things usually lie. */
export async function findFolders(
  host: Host,
  known: readonly Discovered[],
  limits: SizeLimits,
): Promise<Discovered[]> {
  const candidates: Candidate[] = [...knownFolders];
  for (const { kind, name, suggestion } of known) {
    if (!suggestion || (kind !== 'application' && kind !== 'site')) continue;
    candidates.push({ path: suggestion, why: `the ${kind} ${name} works with it` });
    for (const inner of await uploadFoldersIn(host, suggestion))
      candidates.push({ path: inner, why: `uploads of the ${kind} ${name} seem to lie there` });
  }
  for (const parent of parents)
    for (const name of await listNames(host, parent))
      candidates.push({ path: join(parent, name), why: `it lies in ${parent}` });
  const byPath = Map.groupBy(candidates, ({ path }) => path);
  const deadlineMs = host.clock.monotonicMs() + limits.durationMsMax;
  const found: Discovered[] = [];
  for (const [path, reasons] of byPath)
    if (path !== '/' && (await isFolder(host, path)))
      found.push(await describeFolder(host, path, reasons, { ...limits, deadlineMs }));
  return found;
}

async function describeFolder(
  host: Host,
  path: string,
  reasons: readonly Candidate[],
  limits: SizeLimits & { deadlineMs: number },
): Promise<Discovered> {
  const size = await measure(host, path, limits);
  return {
    kind: 'folder',
    name: path,
    where: path,
    evidence: reasons.map(({ why }) => why),
    suggestion: path,
    confidence: 'likely',
    details: { ...size },
  };
}

async function uploadFoldersIn(host: Host, folder: string): Promise<string[]> {
  const names = await listNames(host, folder);
  const inner = names.includes('public') ? await listNames(host, join(folder, 'public')) : [];
  return [...names, ...inner.map((name) => `public/${name}`)]
    .filter((name) => uploadNames.test(name))
    .map((name) => join(folder, name));
}

/** Counts without following links or leaving the file system. What is beyond the limits makes the size a least one. */
async function measure(
  host: Host,
  path: string,
  { entriesMax, deadlineMs }: SizeLimits & { deadlineMs: number },
): Promise<{ sizeBytes: number; fileCount: number; isSizeComplete: boolean }> {
  let [sizeBytes, fileCount, entryCount] = [0, 0, 0];
  let isSizeComplete = true;
  const top = join(host.root, path);
  const { dev } = await lstat(top);
  const waiting = [top];
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    host.signal?.throwIfAborted();
    try {
      for await (const entry of await opendir(folder)) {
        if (++entryCount > entriesMax || host.clock.monotonicMs() > deadlineMs)
          return { sizeBytes, fileCount, isSizeComplete: false };
        const inner = join(folder, entry.name);
        const stats = await lstatIfThere(inner);
        if (stats?.isDirectory() && stats.dev === dev) waiting.push(inner);
        else if (stats?.isFile()) {
          sizeBytes += stats.size;
          fileCount++;
        }
      }
    } catch (error) {
      if (!systemCodeOf(error)) throw error;
      isSizeComplete = false;
    }
  }
  return { sizeBytes, fileCount, isSizeComplete };
}

async function lstatIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
