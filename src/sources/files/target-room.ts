import { accessSync, constants, mkdirSync, readdirSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { formatSize, messageOf, systemCodeOf } from '#base';
import { SourceError } from '../errors.ts';

/** What was found where a restore is to go. */
export interface TargetState {
  isEmpty: boolean;
  freeBytes: number;
}

/** What a restore will need, as far as it is known. */
export interface NeededRoom {
  sizeBytes?: number;
  entries?: number;
}

/**
 * Makes the target folder if it is absent and checks that it can take a restore.
 * @throws SourceError 'sources.target' (not a folder), 'sources.access-denied', 'sources.read-only', 'sources.no-space'
 */
export function prepareTarget(path: string, needed: NeededRoom): TargetState {
  try {
    makeFolder(path);
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw targetError(error, path) ?? unusable(error, path);
  }
  const { bavail, bfree, bsize, files, ffree } = statfsSync(path);
  const freeBytes = (process.geteuid?.() === 0 ? bfree : bavail) * bsize;
  const isEmpty = readdirSync(path).length === 0;
  // Of a used folder nobody knows how much is there already; there the first file that finds no room tells.
  if (!isEmpty) return { isEmpty, freeBytes };
  if (needed.sizeBytes !== undefined && needed.sizeBytes > freeBytes)
    throw noSpace(path, `${formatSize(needed.sizeBytes)} needed, ${formatSize(freeBytes)} free`);
  // Some file systems (btrfs) make inodes as they go and say 0 of 0.
  if (needed.entries !== undefined && files > 0 && needed.entries > ffree)
    throw noSpace(path, `${needed.entries} files to make, ${ffree} left to the file system`);
  return { isEmpty, freeBytes };
}

/** The error when a failed call means that nothing at all can be restored here; undefined when only one entry is concerned. */
export function targetError(error: unknown, path: string): SourceError | undefined {
  switch (systemCodeOf(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return noSpace(path, messageOf(error), error);
    case 'EROFS':
      return new SourceError('sources.read-only', `cannot restore to ${path}: it is read-only`, {
        hint: 'Mount the file system for writing, or choose another target.',
        cause: error,
      });
    default:
      return undefined;
  }
}

function unusable(cause: unknown, path: string): SourceError {
  const code = systemCodeOf(cause);
  if (code === 'EACCES' || code === 'EPERM')
    return new SourceError('sources.access-denied', `cannot restore to ${path}: ${messageOf(cause)}`, {
      hint: 'Run as an account that may write there, or choose another target.',
      cause,
    });
  return new SourceError('sources.target', `${path} is no folder to restore to: ${messageOf(cause)}`, {
    hint: 'Name a folder, or a path where one can be made.',
    cause,
  });
}

function noSpace(path: string, why: string, cause?: unknown): SourceError {
  return new SourceError('sources.no-space', `not enough room in ${path}: ${why}`, {
    hint: 'Make room and start the same restore again, it goes on where it stopped; or choose another target.',
    cause,
  });
}

/** With the folders above it. Not by mkdir's `recursive`, which says 'ENOENT' of a file system that is read-only. */
function makeFolder(path: string): void {
  try {
    // Closed to others until the restore has set the modes of what is in it.
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === 'EEXIST' && statSync(path).isDirectory()) return;
    if (code !== 'ENOENT' || dirname(path) === path) throw error;
    makeFolder(dirname(path));
    mkdirSync(path, { mode: 0o700 });
  }
}
