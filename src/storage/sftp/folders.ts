import { posix } from 'node:path';
import type { Stats } from 'ssh2';
import type { Session } from './session.ts';
import { hasStatus, status } from './sftp-error.ts';

/** Facts of what a path leads to, links followed; undefined when there is nothing. */
export async function statOrUndefined(session: Session, path: string): Promise<Stats | undefined> {
  try {
    return await session.ask<Stats>((sftp, done) => sftp.stat(path, done));
  } catch (error) {
    if (hasStatus(error, status.noSuchFile)) return undefined;
    throw error;
  }
}

/** Makes a folder and those above it; succeeds when it exists. */
export async function makeFolder(session: Session, path: string, mode: number): Promise<void> {
  try {
    await makeOne(session, path, mode);
  } catch (error) {
    const above = posix.dirname(path);
    if (!hasStatus(error, status.noSuchFile) || path === above) throw error;
    await makeFolder(session, above, mode);
    await makeOne(session, path, mode);
  }
}

/** That it exists is no status of its own, and who may not write above it is told so first. */
async function makeOne(session: Session, path: string, mode: number): Promise<void> {
  try {
    await session.ask((sftp, done) => sftp.mkdir(path, { mode }, done));
  } catch (error) {
    if (hasStatus(error, status.noSuchFile)) throw error;
    if (!(await statOrUndefined(session, path))?.isDirectory()) throw error;
  }
}
