import { type ErrorDetails, type ErrorKind, HoldfastError } from '#base';

/** Ways in which people cannot be told. That a host is not reached is base's: `outbound.…`. */
const kinds = {
  'notify.settings': { exitCode: 2, httpStatus: 400, retry: 'never' },
  'notify.login': { exitCode: 1, httpStatus: 502, retry: 'never' },
  'notify.refused': { exitCode: 1, httpStatus: 502, retry: 'never' },
  'notify.busy': { exitCode: 1, httpStatus: 502, retry: 'soon' },
  'notify.failed': { exitCode: 1, httpStatus: 502, retry: 'soon' },
} satisfies Record<string, ErrorKind>;

/** `context.retryAfterMs` of 'notify.busy': how long the service asks us to wait, if it does. */
export class NotifyError extends HoldfastError {
  declare readonly code: keyof typeof kinds;

  constructor(code: keyof typeof kinds, message: string, details?: ErrorDetails) {
    super(kinds[code], code, message, details);
  }
}
