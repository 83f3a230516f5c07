import { type ErrorDetails, type ErrorKind, HoldfastError } from '#base';

/** Every way in which a repository fails. The exit codes 10, 11 and 12 are restic's. */
const kinds = {
  'repository.absent': { exitCode: 10, httpStatus: 404, retry: 'never' },
  'repository.locked': { exitCode: 11, httpStatus: 423, retry: 'later' },
  'repository.wrong-password': { exitCode: 12, httpStatus: 403, retry: 'never' },
  'repository.exists': { exitCode: 1, httpStatus: 409, retry: 'never' },
  'repository.damaged': { exitCode: 1, httpStatus: 500, retry: 'never' },
  'repository.version': { exitCode: 1, httpStatus: 501, retry: 'never' },
  'repository.foreign': { exitCode: 1, httpStatus: 409, retry: 'never' },
  'repository.incomplete': { exitCode: 1, httpStatus: 500, retry: 'never' },
  'repository.snapshot-not-found': { exitCode: 1, httpStatus: 404, retry: 'never' },
  'repository.snapshot-ambiguous': { exitCode: 2, httpStatus: 409, retry: 'never' },
  'repository.path-not-found': { exitCode: 1, httpStatus: 404, retry: 'never' },
  'repository.pattern': { exitCode: 2, httpStatus: 400, retry: 'never' },
  'repository.key': { exitCode: 1, httpStatus: 409, retry: 'never' },
  'repository.quota': { exitCode: 1, httpStatus: 507, retry: 'later' },
  'repository.read-only': { exitCode: 1, httpStatus: 403, retry: 'never' },
  'repository.lock-lost': { exitCode: 11, httpStatus: 409, retry: 'later' },
  'repository.clock': { exitCode: 1, httpStatus: 500, retry: 'never' },
  'repository.internal': { exitCode: 1, httpStatus: 500, retry: 'never' },
} satisfies Record<string, ErrorKind>;

export type RepositoryErrorCode = keyof typeof kinds;

export class RepositoryError extends HoldfastError {
  declare readonly code: RepositoryErrorCode;

  constructor(code: RepositoryErrorCode, message: string, details?: ErrorDetails) {
    super(kinds[code], code, message, details);
  }
}
