import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StorageError } from '../errors.ts';
import { storageErrorOf } from './system-error.ts';

function errorOf(code: string): StorageError {
  const cause = Object.assign(new Error('raw'), { code, errno: -28 });
  const error = storageErrorOf(cause, 'write data/ab', '/srv/backup');
  assert(error instanceof StorageError);
  assert.equal(error.cause, cause);
  return error;
}

test('each system error has a code, a verdict on retrying, and a hint', () => {
  const expected = {
    ENOSPC: 'storage.no-space later',
    EDQUOT: 'storage.no-space later',
    EACCES: 'storage.access-denied never',
    EPERM: 'storage.access-denied never',
    EROFS: 'storage.read-only never',
    EIO: 'storage.failed never',
    EUCLEAN: 'storage.failed never',
    ESTALE: 'storage.unreachable soon',
    EMFILE: 'storage.failed soon',
    ENAMETOOLONG: 'storage.name never',
    ENOENT: 'storage.not-found never',
  };
  for (const [code, verdict] of Object.entries(expected)) {
    const error = errorOf(code);
    assert.equal(`${error.code} ${error.retry}`, verdict, code);
    assert.match(error.hint ?? '', /^[A-Z].*\.$/);
  }
  assert.equal(
    errorOf('ENOSPC').message,
    'cannot write data/ab in /srv/backup: no space left on device (ENOSPC)',
  );
});

test('what is no system error stays as it is', () => {
  for (const error of [new Error('x'), new DOMException('aborted', 'AbortError'), undefined])
    assert.equal(storageErrorOf(error, 'write', '/'), error);
});
