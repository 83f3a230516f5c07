import { type ErrorDetails, type ErrorKind, HoldfastError } from '#base';

/** Ways in which a configuration is refused. What is wrong inside of it are faults, each with its place. */
const kinds = {
  'config.file': { exitCode: 2, httpStatus: 500, retry: 'never' },
  'config.invalid': { exitCode: 2, httpStatus: 422, retry: 'never' },
} satisfies Record<string, ErrorKind>;

export type ConfigErrorCode = keyof typeof kinds;

export class ConfigError extends HoldfastError {
  declare readonly code: ConfigErrorCode;

  constructor(code: ConfigErrorCode, message: string, details?: ErrorDetails) {
    super(kinds[code], code, message, details);
  }
}
