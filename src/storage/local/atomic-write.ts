import { chmod, type FileHandle, link, open, rename, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCodeOf } from '#base';
import { piecesOf } from '../content.ts';
import { StorageError } from '../errors.ts';
import type { Content, WriteOptions } from '../storage.ts';
import { temporaryPath } from '../temporary.ts';
import { makeFolder, syncFolder } from './folders.ts';

/** Permissions of what is made, as restic sets them. */
export interface Modes {
  folder: number;
  /** Of a finished file: nobody writes it again. */
  file: number;
}

const modeWhileWritten = 0o600;
/** File systems without hard links: exFAT and FAT, some FUSE and network shares. */
const cannotLink = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];
/** File systems without permissions of their own, and files that somebody else took away meanwhile. */
const cannotChangeMode = ['EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'ENOENT'];

/**
 * Writes a file so that it is visible whole or not at all, and durable when resolved:
 * temporary file beside it → write → fsync → close → rename (or link) → fsync of the folder → read-only.
 * @throws system errors; StorageError 'storage.exists'
 */
export async function writeAtomically(
  path: string,
  content: Content,
  { modes, ifAbsent, signal }: WriteOptions & { modes: Modes },
): Promise<void> {
  if (ifAbsent && (await exists(path))) throw taken(path);
  const temporary = temporaryPath(path);
  const file = await openNew(temporary, modes);
  try {
    await fill(file, content, signal);
    await (ifAbsent ? publishNew(temporary, path) : rename(temporary, path));
  } catch (error) {
    // The first error says more than a second one would.
    await unlink(temporary).catch(() => {});
    throw error;
  }
  await syncFolder(dirname(path));
  // Last, and not on the temporary file: CIFS refuses to rename a read-only file.
  await chmod(path, modes.file).catch(ignore(cannotChangeMode));
}

async function openNew(path: string, modes: Modes): Promise<FileHandle> {
  try {
    return await open(path, 'wx', modeWhileWritten);
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
    await makeFolder(dirname(path), modes.folder);
    return open(path, 'wx', modeWhileWritten);
  }
}

/** Writes and closes. Closing may fail too: NFS reports a full disk there. */
async function fill(file: FileHandle, content: Content, signal: AbortSignal | undefined): Promise<void> {
  try {
    for await (const piece of piecesOf(content, signal)) await writeAll(file, piece);
    signal?.throwIfAborted();
    await file.sync();
  } catch (error) {
    await file.close().catch(() => {});
    throw error;
  }
  await file.close();
}

/** One system call, unless the kernel takes less than it was given. */
async function writeAll(file: FileHandle, piece: Uint8Array): Promise<void> {
  for (let done = 0; done < piece.length; ) {
    const { bytesWritten } = await file.write(piece, done, piece.length - done);
    done += bytesWritten;
  }
}

/** Gives the temporary file its name only if that is free: link(2) decides, so one of many wins. */
async function publishNew(temporary: string, path: string): Promise<void> {
  try {
    await link(temporary, path);
    await unlink(temporary).catch(() => {});
  } catch (error) {
    const code = systemCodeOf(error) ?? '';
    if (code === 'EEXIST') throw taken(path, error);
    if (!cannotLink.includes(code)) throw error;
    await publishByClaim(temporary, path);
  }
}

/** Without hard links an empty file claims the name. One of many still wins, but for an instant the file is seen empty. */
async function publishByClaim(temporary: string, path: string): Promise<void> {
  try {
    const claim = await open(path, 'wx', modeWhileWritten);
    await claim.close();
  } catch (error) {
    throw systemCodeOf(error) === 'EEXIST' ? taken(path, error) : error;
  }
  try {
    await rename(temporary, path);
  } catch (error) {
    await unlink(path).catch(() => {});
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  const found = await stat(path).catch(ignore(['ENOENT', 'ENOTDIR']));
  return found !== undefined;
}

function taken(path: string, cause?: unknown): StorageError {
  return new StorageError('storage.exists', `${path} exists already`, {
    hint: 'Somebody else made it first. Look at what is there before you go on.',
    cause,
  });
}

function ignore(codes: readonly string[]): (error: unknown) => undefined {
  return (error) => {
    if (!codes.includes(systemCodeOf(error) ?? '')) throw error;
  };
}
