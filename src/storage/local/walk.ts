import type { Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCodeOf } from '#base';
import { StorageError } from '../errors.ts';
import { isNoFile } from './system-error.ts';

export interface FoundFile {
  /** Relative to the root. */
  name: string;
  stats: Stats;
}

/** How many files are looked at at once. */
const statsAtOnce = 64;

/**
 * All regular files below the root whose name starts with the prefix, temporary ones too. Links are followed.
 * What vanishes meanwhile is passed over; an absent folder is empty.
 */
export async function* walk(root: string, prefix: string, signal?: AbortSignal): AsyncGenerator<FoundFile> {
  const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  const stats = await statOrUndefined(join(root, folder));
  if (stats?.isDirectory()) yield* walkFolder({ root, folder, above: [stats], signal }, prefix);
}

interface Visit {
  root: string;
  /** Empty, or ends in `/`. */
  folder: string;
  /** This folder and those that led here: a link back to one of them would make a circle. */
  above: readonly Stats[];
  signal: AbortSignal | undefined;
}

async function* walkFolder(visit: Visit, prefix: string): AsyncGenerator<FoundFile> {
  const { root, folder, above, signal } = visit;
  // All names are read before the first file is yielded, so deleting while listing cannot confuse the kernel's cursor.
  const names = (await namesIn(join(root, folder)))
    .map((name) => folder + name)
    .filter((name) => name.startsWith(prefix));
  const folders: FoundFile[] = [];
  for (let i = 0; i < names.length; i += statsAtOnce) {
    signal?.throwIfAborted();
    const batch = names.slice(i, i + statsAtOnce);
    const found = await Promise.all(batch.map((name) => statOrUndefined(join(root, name))));
    for (const [index, stats] of found.entries()) {
      const name = batch[index]!;
      if (!stats) assertReadable(name);
      else if (stats.isFile()) yield { name, stats };
      else if (stats.isDirectory() && !above.some((other) => isSame(other, stats)))
        folders.push({ name, stats });
    }
  }
  for (const { name, stats } of folders)
    yield* walkFolder({ ...visit, folder: `${name}/`, above: [...above, stats] }, prefix);
}

/** A name that is not UTF-8 was decoded with replacement characters and can only seem to have vanished. */
function assertReadable(name: string): void {
  if (!name.includes('\ufffd')) return;
  throw new StorageError('storage.name', `cannot list ${JSON.stringify(name)}: its name is not UTF-8`, {
    hint: 'Rename the file, or move it out of this folder.',
  });
}

async function namesIn(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (isNoFile(error)) return [];
    throw error;
  }
}

/** ELOOP: a link that leads to itself leads to no file. */
async function statOrUndefined(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (isNoFile(error) || systemCodeOf(error) === 'ELOOP') return undefined;
    throw error;
  }
}

function isSame(a: Stats, b: Stats): boolean {
  return a.ino === b.ino && a.dev === b.dev;
}
