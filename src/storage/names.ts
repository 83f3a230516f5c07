import { StorageError } from './errors.ts';

/**
 * Refuses a name that could leave the storage's root, or that not every storage could list again.
 * @throws StorageError 'storage.name'
 */
export function assertName(name: string): void {
  const isSafe = isText(name) && name.split('/').every(isPart);
  if (!isSafe) throw badName(name);
}

/**
 * Refuses a prefix that could leave the storage's root. What follows its last `/` is the beginning of a name.
 * @throws StorageError 'storage.name'
 */
export function assertPrefix(prefix: string): void {
  const folders = prefix.split('/').slice(0, -1);
  if (!isText(prefix) || !folders.every(isPart)) throw badName(prefix);
}

/** NUL ends a path in C; half a surrogate pair has no UTF-8. */
function isText(name: string): boolean {
  return !name.includes('\0') && name.isWellFormed();
}

function isPart(part: string): boolean {
  return part !== '' && part !== '.' && part !== '..';
}

function badName(name: string): StorageError {
  return new StorageError('storage.name', `${JSON.stringify(name)} cannot be the name of a stored file`, {
    hint: 'Use parts joined by single slashes, none of them empty, "." or "..", and no leading or trailing slash.',
  });
}
