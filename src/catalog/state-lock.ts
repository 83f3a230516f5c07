import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { messageOf } from '#base';
import { CatalogError } from './errors.ts';

/** A state directory that is this process's alone, until it lets go or dies. */
export interface StateLock extends Disposable {
  release(): void;
}

const lockName = 'in-use.lock';
const holderName = 'in-use.txt';

/**
 * Takes a state directory for this process; makes it, for us alone, where there is none. What holds it is SQLite's lock
 * on an open file: the system drops it with the process, however that ends, and a number of a process that is gone
 * fools nobody.
 * @param holder who we are, for the sentence that another one is told: `the server, process 4711`
 * @throws CatalogError 'catalog.in-use'; 'catalog.unreachable' when the directory cannot be written
 */
export function lockState(directory: string, holder: string): StateLock {
  let file: DatabaseSync | undefined;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    file = new DatabaseSync(join(directory, lockName), { timeout: 0 });
    file.exec('BEGIN EXCLUSIVE');
    writeFileSync(join(directory, holderName), `${holder}\n`, { mode: 0o600 });
  } catch (error) {
    file?.close();
    throw isLocked(error) ? inUse(directory) : unreachable(directory, error);
  }
  const lock = file;
  let isHeld = true;
  const release = (): void => {
    if (isHeld) lock.close();
    isHeld = false;
  };
  return { release, [Symbol.dispose]: release };
}

/** SQLITE_BUSY, SQLITE_LOCKED and their refinements (sqlite.org/rescode.html). */
function isLocked(error: unknown): boolean {
  const code = (error as { errcode?: unknown }).errcode;
  return typeof code === 'number' && [5, 6].includes(code & 0xff);
}

function inUse(directory: string): CatalogError {
  return new CatalogError('catalog.in-use', `${directory} is in use by ${holderOf(directory)}`, {
    hint: 'Let it do the work, or stop it first. Two on one state directory would undo each other’s work.',
  });
}

function holderOf(directory: string): string {
  try {
    return readFileSync(join(directory, holderName), 'utf8').trim() || 'another process';
  } catch {
    return 'another process';
  }
}

function unreachable(directory: string, error: unknown): CatalogError {
  return new CatalogError(
    'catalog.unreachable',
    `cannot take the state directory ${directory}: ${messageOf(error)}`,
    {
      hint: 'Check that it is ours to read and write, on a disk of this machine with room.',
      cause: error,
    },
  );
}
