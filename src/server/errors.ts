import { type ErrorDetails, type ErrorKind, HoldfastError } from '#base';

/** Ways in which a request is refused before it reaches what it asks for. */
const kinds = {
  'server.host': { exitCode: 1, httpStatus: 421, retry: 'never' },
  'server.not-found': { exitCode: 1, httpStatus: 404, retry: 'never' },
  'server.request': { exitCode: 2, httpStatus: 400, retry: 'never' },
  'server.read-only': { exitCode: 1, httpStatus: 409, retry: 'never' },
  'server.unreachable': { exitCode: 1, httpStatus: 502, retry: 'soon' },
  'server.refused': { exitCode: 1, httpStatus: 502, retry: 'never' },
  'server.too-large': { exitCode: 2, httpStatus: 413, retry: 'never' },
  'server.media-type': { exitCode: 2, httpStatus: 415, retry: 'never' },
  'server.unforeseen': { exitCode: 1, httpStatus: 500, retry: 'never' },
  'server.secret': { exitCode: 12, httpStatus: 422, retry: 'never' },
  'server.port': { exitCode: 1, httpStatus: 500, retry: 'never' },
} satisfies Record<string, ErrorKind>;

export type ServerErrorCode = keyof typeof kinds;

export class ServerError extends HoldfastError {
  declare readonly code: ServerErrorCode;

  constructor(code: ServerErrorCode, message: string, details?: ErrorDetails) {
    super(kinds[code], code, message, details);
  }
}
