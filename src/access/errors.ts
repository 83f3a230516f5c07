import { type ErrorDetails, type ErrorKind, HoldfastError } from '#base';

/** Ways in which somebody is not let in, or not allowed. */
const kinds = {
  'access.sign-in': { exitCode: 1, httpStatus: 401, retry: 'never' },
  'access.wrong-password': { exitCode: 12, httpStatus: 401, retry: 'never' },
  'access.too-many-tries': { exitCode: 1, httpStatus: 429, retry: 'later' },
  'access.forbidden': { exitCode: 1, httpStatus: 403, retry: 'never' },
  'access.csrf': { exitCode: 1, httpStatus: 403, retry: 'never' },
  'access.setup-first': { exitCode: 1, httpStatus: 403, retry: 'never' },
  'access.setup-link': { exitCode: 1, httpStatus: 403, retry: 'never' },
} satisfies Record<string, ErrorKind>;

export type AccessErrorCode = keyof typeof kinds;

export class AccessError extends HoldfastError {
  declare readonly code: AccessErrorCode;

  constructor(code: AccessErrorCode, message: string, details?: ErrorDetails) {
    super(kinds[code], code, message, details);
  }
}
