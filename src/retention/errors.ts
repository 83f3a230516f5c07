import { type ErrorDetails, type ErrorKind, HoldfastError } from '#base';

/** Every way in which a retention policy is refused. */
const kinds = {
  'retention.empty-policy': { exitCode: 2, httpStatus: 422, retry: 'never' },
  'retention.policy': { exitCode: 2, httpStatus: 422, retry: 'never' },
} satisfies Record<string, ErrorKind>;

export type RetentionErrorCode = keyof typeof kinds;

export class RetentionError extends HoldfastError {
  declare readonly code: RetentionErrorCode;

  constructor(code: RetentionErrorCode, message: string, details?: ErrorDetails) {
    super(kinds[code], code, message, details);
  }
}
