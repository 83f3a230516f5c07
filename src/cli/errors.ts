import { type ErrorDetails, type ErrorKind, HoldfastError } from '#base';

/** Ways in which a command fails before the work begins, or is stopped. */
const kinds = {
  'cli.usage': { exitCode: 2, httpStatus: 400, retry: 'never' },
  'cli.no-repository': { exitCode: 2, httpStatus: 400, retry: 'never' },
  'cli.no-password': { exitCode: 2, httpStatus: 400, retry: 'never' },
  'cli.password-file': { exitCode: 2, httpStatus: 400, retry: 'never' },
  'cli.target': { exitCode: 1, httpStatus: 400, retry: 'never' },
  'cli.encryption': { exitCode: 1, httpStatus: 400, retry: 'never' },
  'cli.unproven': { exitCode: 1, httpStatus: 500, retry: 'later' },
  'cli.not-green': { exitCode: 3, httpStatus: 409, retry: 'later' },
  'cli.command-not-found': { exitCode: 127, httpStatus: 400, retry: 'never' },
  'cli.command-not-executable': { exitCode: 126, httpStatus: 400, retry: 'never' },
  'cli.interrupted': { exitCode: 130, httpStatus: 499, retry: 'later' },
} satisfies Record<string, ErrorKind>;

export type CliErrorCode = keyof typeof kinds;

export class CliError extends HoldfastError {
  declare readonly code: CliErrorCode;

  constructor(code: CliErrorCode, message: string, details?: ErrorDetails) {
    super(kinds[code], code, message, details);
  }
}
