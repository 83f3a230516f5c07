import { getSystemErrorMessage } from 'node:util';
import { type Retry, systemCodeOf } from '#base';
import { StorageError, type StorageErrorCode } from '../errors.ts';

interface Verdict {
  code: StorageErrorCode;
  hint: string;
  retry?: Retry;
}

const absent: Verdict = {
  code: 'storage.not-found',
  hint: 'Check the location; somebody may have removed the file.',
};
const full: Verdict = {
  code: 'storage.no-space',
  hint: 'Free some room on this disk (or raise the quota), or choose another storage, then start again.',
};
const denied: Verdict = {
  code: 'storage.access-denied',
  hint: 'Give the user that runs Holdfast the right to read and write this folder and everything in it.',
};
const badName: Verdict = {
  code: 'storage.name',
  hint: 'This file system cannot hold a file of that name here, or a file and a folder share the name.',
};
const away: Verdict = {
  code: 'storage.unreachable',
  hint: 'Check that the disk or network share is mounted and answers.',
};
const busy: Verdict = {
  code: 'storage.failed',
  hint: 'The machine is short of open files or memory; raise the limit (ulimit -n) if this comes back.',
  retry: 'soon',
};
const broken: Verdict = {
  code: 'storage.failed',
  hint: 'The disk or its file system reports a fault. Look into the system log (dmesg) before you go on.',
};

const verdicts: Record<string, Verdict> = {
  ENOENT: absent,
  ENOSPC: full,
  EDQUOT: full,
  EACCES: denied,
  EPERM: denied,
  EROFS: {
    code: 'storage.read-only',
    hint: 'The file system is mounted read-only. Mount it for writing; after a fault look into the system log first.',
  },
  ENAMETOOLONG: badName,
  EILSEQ: badName,
  EINVAL: badName,
  EISDIR: badName,
  ENOTDIR: badName,
  EEXIST: badName,
  ENOTEMPTY: badName,
  ESTALE: away,
  ETIMEDOUT: away,
  EHOSTDOWN: away,
  EHOSTUNREACH: away,
  ENOTCONN: away,
  ENODEV: away,
  ENXIO: away,
  EMFILE: busy,
  ENFILE: busy,
  ENOMEM: busy,
  EAGAIN: busy,
  EBUSY: busy,
  EINTR: busy,
};

/**
 * A system error as a StorageError; anything else stays as it is.
 * @param action what could not be done: `write data/ab/abcd`
 */
export function storageErrorOf(error: unknown, action: string, root: string): unknown {
  const systemCode = systemCodeOf(error);
  if (systemCode === undefined) return error;
  const { code, hint, retry } = verdicts[systemCode] ?? broken;
  const { errno } = error as NodeJS.ErrnoException;
  const why = errno === undefined ? systemCode : `${getSystemErrorMessage(errno)} (${systemCode})`;
  return new StorageError(code, `cannot ${action} in ${root}: ${why}`, {
    hint,
    ...(retry ? { retry } : {}),
    context: { root, systemCode },
    cause: error,
  });
}

/** Whether the error says that there is no such file: absent, or a folder, or below a file. */
export function isNoFile(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'EISDIR'].includes(systemCodeOf(error) ?? '');
}
