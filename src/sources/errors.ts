import { type ErrorDetails, type ErrorKind, HoldfastError } from '#base';

/** Every way in which a source, or the folder that a restore writes to, fails as a whole. Single entries become problems instead. */
const kinds = {
  'sources.location': { exitCode: 2, httpStatus: 400, retry: 'never' },
  'sources.pattern': { exitCode: 2, httpStatus: 400, retry: 'never' },
  'sources.list': { exitCode: 2, httpStatus: 400, retry: 'never' },
  'sources.name': { exitCode: 1, httpStatus: 400, retry: 'never' },
  'sources.order': { exitCode: 1, httpStatus: 502, retry: 'never' },
  'sources.too-many': { exitCode: 1, httpStatus: 507, retry: 'never' },
  'sources.absent': { exitCode: 1, httpStatus: 404, retry: 'later' },
  'sources.target': { exitCode: 1, httpStatus: 409, retry: 'never' },
  'sources.access-denied': { exitCode: 1, httpStatus: 403, retry: 'never' },
  'sources.read-only': { exitCode: 1, httpStatus: 403, retry: 'never' },
  'sources.no-space': { exitCode: 1, httpStatus: 507, retry: 'later' },
  'sources.damaged': { exitCode: 1, httpStatus: 500, retry: 'never' },
  'sources.unreachable': { exitCode: 1, httpStatus: 502, retry: 'later' },
  'sources.login': { exitCode: 1, httpStatus: 502, retry: 'never' },
  'sources.oplog': { exitCode: 1, httpStatus: 502, retry: 'never' },
  'sources.oplog-gap': { exitCode: 1, httpStatus: 409, retry: 'never' },
  'sources.oplog-rollback': { exitCode: 1, httpStatus: 409, retry: 'never' },
  'sources.mongodb': { exitCode: 1, httpStatus: 502, retry: 'later' },
} satisfies Record<string, ErrorKind>;

export type SourceErrorCode = keyof typeof kinds;

export class SourceError extends HoldfastError {
  declare readonly code: SourceErrorCode;

  constructor(code: SourceErrorCode, message: string, details?: ErrorDetails) {
    super(kinds[code], code, message, details);
  }
}
