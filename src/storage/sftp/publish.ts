import type { Stats } from 'ssh2';
import { StorageError } from '../errors.ts';
import { temporaryPath } from '../temporary.ts';
import { statOrUndefined } from './folders.ts';
import { readFile } from './read-file.ts';
import type { Session } from './session.ts';
import { hasStatus, status, statusOf } from './sftp-error.ts';

/** How often another writer of the same name may come in between. */
const rivalsMax = 20;

/** Gives a file its final name, in place of what has it now. */
export async function publish(session: Session, temporary: string, path: string): Promise<void> {
  const refusal = await refusalOf(renameOver(session, temporary, path));
  if (!refusal) return;
  if (!hasStatus(refusal, status.unsupported)) throw refusal;
  await publishBySteps(session, temporary, path);
}

/**
 * Without posix-rename a name that is taken is refused. The same content stays where it is, so that no part of a
 * repository is away even for an instant; another content steps aside until the new one is there.
 */
async function publishBySteps(session: Session, temporary: string, path: string): Promise<void> {
  let refusal: unknown;
  for (let rivals = 0; rivals < rivalsMax; rivals++) {
    refusal = await refusalOf(rename(session, temporary, path));
    if (!refusal) return;
    const old = await statOrUndefined(session, path);
    // Perhaps a rival has just moved it aside.
    if (!old) continue;
    if (!old.isFile()) throw refusal;
    if (await isSame(session, [temporary, path], old)) return remove(session, temporary);
    if (await isReplaced(session, temporary, path)) return;
  }
  throw refusal;
}

/** Returns false when another writer came in between. */
async function isReplaced(session: Session, temporary: string, path: string): Promise<boolean> {
  const aside = temporaryPath(path);
  if (await refusalOf(rename(session, path, aside))) return false;
  const refusal = await refusalOf(rename(session, temporary, path));
  const isBack = refusal !== undefined && !(await refusalOf(rename(session, aside, path)));
  if (!isBack) await remove(session, aside);
  return !refusal;
}

/**
 * Gives a file its final name only if that is free, by link(2): one of many wins. Without hard links an empty file
 * claims the name; one of many still wins, but for an instant the file is seen empty.
 * @throws StorageError 'storage.exists'
 */
export async function publishNew(session: Session, temporary: string, path: string): Promise<void> {
  const refusal = await refusalOf(
    session.ask((sftp, done) => sftp.ext_openssh_hardlink(temporary, path, done)),
  );
  if (!refusal) return remove(session, temporary);
  await assertFree(session, path, refusal);
  const claim = session.ask<Buffer>((sftp, done) => sftp.open(path, 'wx', done));
  const lost = await refusalOf(claim);
  if (lost) {
    await assertFree(session, path, lost);
    throw lost;
  }
  const handle = await claim;
  await session.ask((sftp, done) => sftp.close(handle, done));
  await redeem(session, temporary, path);
}

/** Puts the file in the place of its claim. */
async function redeem(session: Session, temporary: string, path: string): Promise<void> {
  const refusal = await refusalOf(renameOver(session, temporary, path));
  if (!refusal) return;
  await remove(session, path);
  if (!hasStatus(refusal, status.unsupported)) throw refusal;
  // A plain rename is refused when the name is taken, as the protocol wants it: then another one won.
  const lost = await refusalOf(rename(session, temporary, path));
  if (!lost) return;
  await assertFree(session, path, lost);
  throw lost;
}

/** @throws StorageError 'storage.exists' */
export async function assertFree(session: Session, path: string, cause?: unknown): Promise<void> {
  if (!(await statOrUndefined(session, path))) return;
  throw new StorageError('storage.exists', `${path} exists already`, {
    hint: 'Somebody else made it first. Look at what is there before you go on.',
    cause,
  });
}

async function isSame(
  session: Session,
  [a, b]: readonly [string, string],
  { size }: Stats,
): Promise<boolean> {
  const stats = await statOrUndefined(session, a);
  if (stats?.size !== size) return false;
  const other = readFile(session, b, { name: b });
  try {
    for await (const piece of readFile(session, a, { name: a })) {
      const { value } = await other.next();
      if (!value || Buffer.compare(piece, value) !== 0) return false;
    }
    return true;
  } catch (error) {
    // A rival moved it.
    if (hasStatus(error, status.noSuchFile)) return false;
    throw error;
  }
}

function rename(session: Session, from: string, to: string): Promise<void> {
  return session.ask((sftp, done) => sftp.rename(from, to, done));
}

function renameOver(session: Session, from: string, to: string): Promise<void> {
  return session.ask((sftp, done) => sftp.ext_openssh_rename(from, to, done));
}

export function remove(session: Session, path: string): Promise<void> {
  return session.ask((sftp, done) => sftp.unlink(path, done));
}

/** The server's refusal, or undefined when it did what was asked. @throws StorageError when it could not be asked */
async function refusalOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (statusOf(error) === undefined) throw error;
    return error;
  }
}
