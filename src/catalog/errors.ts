import { type ErrorDetails, type ErrorKind, HoldfastError } from '#base';

/** Ways in which our own records cannot be read or written. */
const kinds = {
  'catalog.newer': { exitCode: 1, httpStatus: 503, retry: 'never' },
  'catalog.unreachable': { exitCode: 1, httpStatus: 503, retry: 'soon' },
  'catalog.in-use': { exitCode: 11, httpStatus: 503, retry: 'later' },
  'catalog.exists': { exitCode: 1, httpStatus: 409, retry: 'never' },
  'catalog.absent': { exitCode: 1, httpStatus: 404, retry: 'never' },
  'catalog.changed': { exitCode: 1, httpStatus: 412, retry: 'never' },
  'catalog.master-key': { exitCode: 12, httpStatus: 503, retry: 'never' },
  'catalog.damaged': { exitCode: 1, httpStatus: 500, retry: 'never' },
} satisfies Record<string, ErrorKind>;

export type CatalogErrorCode = keyof typeof kinds;

export class CatalogError extends HoldfastError {
  declare readonly code: CatalogErrorCode;

  constructor(code: CatalogErrorCode, message: string, details?: ErrorDetails) {
    super(kinds[code], code, message, details);
  }
}
