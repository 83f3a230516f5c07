import { type ErrorDetails, type ErrorKind, HoldfastError } from '#base';

/** Every way in which a storage fails. */
const kinds = {
  'storage.not-found': { exitCode: 1, httpStatus: 404, retry: 'never' },
  'storage.exists': { exitCode: 1, httpStatus: 409, retry: 'never' },
  'storage.range': { exitCode: 1, httpStatus: 416, retry: 'never' },
  'storage.access-denied': { exitCode: 1, httpStatus: 403, retry: 'never' },
  'storage.read-only': { exitCode: 1, httpStatus: 403, retry: 'never' },
  'storage.no-space': { exitCode: 1, httpStatus: 507, retry: 'later' },
  'storage.locked': { exitCode: 1, httpStatus: 409, retry: 'never' },
  'storage.unreachable': { exitCode: 1, httpStatus: 502, retry: 'soon' },
  'storage.untrusted': { exitCode: 1, httpStatus: 502, retry: 'never' },
  'storage.interrupted': { exitCode: 1, httpStatus: 502, retry: 'soon' },
  'storage.location': { exitCode: 2, httpStatus: 400, retry: 'never' },
  'storage.name': { exitCode: 1, httpStatus: 400, retry: 'never' },
  'storage.unsupported': { exitCode: 1, httpStatus: 501, retry: 'never' },
  'storage.failed': { exitCode: 1, httpStatus: 502, retry: 'never' },
} satisfies Record<string, ErrorKind>;

export type StorageErrorCode = keyof typeof kinds;

export class StorageError extends HoldfastError {
  declare readonly code: StorageErrorCode;

  constructor(code: StorageErrorCode, message: string, details?: ErrorDetails) {
    super(kinds[code], code, message, details);
  }
}
