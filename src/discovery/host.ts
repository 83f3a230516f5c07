import { open, readdir, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, messageOf, type Resolver, systemCodeOf } from '#base';

/** The host as it is looked at; a test gives parts of one. */
export interface Host {
  /** Folder that stands for `/`. */
  root: string;
  /** `/proc` */
  proc: string;
  environment: Readonly<Record<string, string | undefined>>;
  resolve: Resolver;
  clock: Clock;
  signal: AbortSignal | undefined;
  /** What could not be looked at. */
  unseen: Set<string>;
}

const textBytesMax = 1024 * 1024;
/** Of folders with more names the rest is not seen. */
const namesMax = 5000;

/** Text of a file below the root, its beginning if it is large; undefined: it is not there, or not for us. */
export async function readText(
  host: Host,
  path: string,
  bytesMax = textBytesMax,
): Promise<string | undefined> {
  return look(host, path, () => readStart(join(host.root, path), bytesMax));
}

/** Names in a folder below the root; none: there is no such folder. */
export async function listNames(host: Host, path: string): Promise<string[]> {
  const names = (await look(host, path, () => readdir(join(host.root, path)))) ?? [];
  if (names.length > namesMax) host.unseen.add(`${path} has more than ${namesMax} entries`);
  return names.slice(0, namesMax).sort();
}

export async function isFolder(host: Host, path: string): Promise<boolean> {
  return (await look(host, path, () => stat(join(host.root, path))))?.isDirectory() ?? false;
}

/** Files of `/proc`: what is gone meanwhile, or belongs to others, is undefined. */
export async function readProc(host: Host, path: string): Promise<string | undefined> {
  return quietly(() => readStart(join(host.proc, path), textBytesMax));
}

export async function readProcLink(host: Host, path: string): Promise<string | undefined> {
  return quietly(() => readlink(join(host.proc, path)));
}

/** undefined: it may not be looked into. */
export async function listProc(host: Host, path: string): Promise<string[] | undefined> {
  return quietly(() => readdir(join(host.proc, path)));
}

/** Size in a file's data is not known before for `/proc`, so it is read until the end or the limit. */
async function readStart(path: string, bytesMax: number): Promise<string> {
  await using file = await open(path);
  const parts: Uint8Array[] = [];
  for (let bytes = 0; bytes < bytesMax; ) {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(Math.min(65_536, bytesMax - bytes)));
    if (bytesRead === 0) break;
    parts.push(buffer.subarray(0, bytesRead));
    bytes += bytesRead;
  }
  return Buffer.concat(parts).toString();
}

const absentCodes = ['ENOENT', 'ENOTDIR', 'ELOOP'];

async function look<T>(host: Host, path: string, work: () => Promise<T>): Promise<T | undefined> {
  host.signal?.throwIfAborted();
  try {
    return await work();
  } catch (error) {
    const code = systemCodeOf(error);
    if (!code) throw error;
    if (!absentCodes.includes(code)) host.unseen.add(`${path} cannot be read: ${code}`);
    return undefined;
  }
}

/** Processes come and go, and others' are closed: who calls says what it means that nothing was seen. */
async function quietly<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (systemCodeOf(error)) return undefined;
    throw new Error(`cannot look at a process: ${messageOf(error)}`, { cause: error });
  }
}
