import type { FileEntryWithStats, Stats } from 'ssh2';
import { StorageError } from '../errors.ts';
import { statOrUndefined } from './folders.ts';
import type { Session } from './session.ts';
import { hasStatus, status } from './sftp-error.ts';

interface FoundFile {
  /** Relative to the root. */
  name: string;
  stats: Stats;
}

interface Folder {
  /** Relative to the root; empty, or ends in `/`. */
  name: string;
  /** Real paths of both ends of the links that were followed to come here: a link back to one of them would make a circle. */
  linked: readonly string[];
}

interface Listing {
  files: FoundFile[];
  folders: Folder[];
}

/** How many folders are read at once, and how many requests for a folder's names are on the way; each brings about a hundred. */
const foldersAtOnce = 8;
const requestsAtOnce = 3;

/**
 * All regular files below the root whose name starts with the prefix, temporary ones too. Links are followed.
 * What vanishes meanwhile is passed over; an absent folder is empty.
 * @param pathOf the server's path of a name
 */
export async function* walk(
  session: Session,
  pathOf: (name: string) => string,
  prefix: string,
): AsyncGenerator<FoundFile> {
  const unread: Folder[] = [{ name: prefix.slice(0, prefix.lastIndexOf('/') + 1), linked: [] }];
  const reading: Promise<Listing>[] = [];
  while (unread.length > 0 || reading.length > 0) {
    while (unread.length > 0 && reading.length < foldersAtOnce) {
      const listing = listFolder(session, pathOf, unread.pop()!, prefix);
      // Heard when it is its turn, or not at all.
      listing.catch(() => {});
      reading.push(listing);
    }
    const { files, folders } = await reading.shift()!;
    unread.push(...folders);
    yield* files;
  }
}

async function listFolder(
  session: Session,
  pathOf: (name: string) => string,
  folder: Folder,
  prefix: string,
): Promise<Listing> {
  const listing: Listing = { files: [], folders: [] };
  for (const { filename, attrs } of await entriesOf(session, pathOf(folder.name))) {
    const name = folder.name + filename;
    if (!name.startsWith(prefix) || filename === '.' || filename === '..') continue;
    // Some servers do not tell what an entry is.
    const isTold = attrs.isFile() || attrs.isDirectory();
    const stats = isTold ? attrs : await statOrUndefined(session, pathOf(name));
    if (!stats) assertReadable(name);
    else if (stats.isFile()) listing.files.push({ name, stats });
    else if (!stats.isDirectory()) continue;
    else if (isTold) listing.folders.push({ name: `${name}/`, linked: folder.linked });
    else {
      const target = await realPath(session, pathOf(name));
      const linked = [...folder.linked, await realPath(session, pathOf(folder.name))];
      const isCircle = linked.some((path) => `${path}/`.startsWith(`${target}/`));
      if (!isCircle) listing.folders.push({ name: `${name}/`, linked: [...linked, target] });
    }
  }
  return listing;
}

/** A name that is not UTF-8 was decoded with replacement characters and can only seem to have vanished. */
function assertReadable(name: string): void {
  if (!name.includes('\ufffd')) return;
  throw new StorageError('storage.name', `cannot list ${JSON.stringify(name)}: its name is not UTF-8`, {
    hint: 'Rename the file, or move it out of this folder.',
  });
}

async function entriesOf(session: Session, path: string): Promise<FileEntryWithStats[]> {
  const handle = await openFolder(session, path);
  if (!handle) return [];
  const entries: FileEntryWithStats[] = [];
  try {
    for (let isAtEnd = false; !isAtEnd; ) {
      const requests = Array.from({ length: requestsAtOnce }, () => nextEntries(session, handle));
      for (const some of await Promise.all(requests)) {
        if (some) entries.push(...some);
        else isAtEnd = true;
      }
    }
  } finally {
    session.ask((sftp, done) => sftp.close(handle, done)).catch(() => {});
  }
  return entries;
}

async function openFolder(session: Session, path: string): Promise<Buffer | undefined> {
  try {
    return await session.ask<Buffer>((sftp, done) => sftp.opendir(path, done));
  } catch (error) {
    if (hasStatus(error, status.noSuchFile)) return undefined;
    throw error;
  }
}

/** undefined at the end. */
async function nextEntries(session: Session, handle: Buffer): Promise<FileEntryWithStats[] | undefined> {
  try {
    return await session.ask<FileEntryWithStats[]>((sftp, done) => sftp.readdir(handle, done));
  } catch (error) {
    if (hasStatus(error, status.eof)) return undefined;
    throw error;
  }
}

function realPath(session: Session, path: string): Promise<string> {
  return session.ask<string>((sftp, done) => sftp.realpath(path, done));
}
