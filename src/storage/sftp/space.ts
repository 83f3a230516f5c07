import { posix } from 'node:path';
import type { Space } from '../storage.ts';
import { type Session, windowBytes } from './session.ts';
import { type Finding, hasStatus, status } from './sftp-error.ts';

/** What statvfs@openssh.com answers, as far as we need it (PROTOCOL of OpenSSH, 4.4). */
interface FileSystemFacts {
  f_frsize: number;
  f_blocks: number;
  f_bavail: number;
  f_files: number;
  f_favail: number;
  f_flag: number;
}

const readOnlyFlag = 1;

/** Room of the file system that a path is or would be on; undefined when the server does not tell. */
export async function spaceOf(session: Session, path: string): Promise<Space | undefined> {
  const facts = await factsOf(session, path);
  return facts && { freeBytes: facts.f_bavail * facts.f_frsize, totalBytes: facts.f_blocks * facts.f_frsize };
}

/** Why a write was refused, as far as the file system shows it. Never rejects: the refusal itself says more than a second one. */
export async function findingOf(session: Session, path: string): Promise<Finding> {
  const facts = await factsOf(session, path).catch(() => undefined);
  if (!facts) return undefined;
  if (facts.f_flag & readOnlyFlag) return 'read-only';
  const hasNoFiles = facts.f_files > 0 && facts.f_favail === 0;
  // What is on the way does not fit any more.
  return hasNoFiles || facts.f_bavail * facts.f_frsize < windowBytes ? 'full' : undefined;
}

/** The folder may not exist yet; then the one above tells. */
async function factsOf(session: Session, path: string): Promise<FileSystemFacts | undefined> {
  try {
    return await session.ask<FileSystemFacts>((sftp, done) => sftp.ext_openssh_statvfs(path, done));
  } catch (error) {
    if (hasStatus(error, status.unsupported)) return undefined;
    const above = posix.dirname(path);
    if (!hasStatus(error, status.noSuchFile) || above === path) throw error;
    return factsOf(session, above);
  }
}
