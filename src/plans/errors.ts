import { type ErrorDetails, type ErrorKind, HoldfastError } from '#base';

/** Ways in which what a plan or a person asks of a job is refused, or fails beside the work itself. */
const kinds = {
  'plans.unconfirmed': { exitCode: 2, httpStatus: 409, retry: 'never' },
  'plans.target': { exitCode: 2, httpStatus: 400, retry: 'never' },
  'plans.proof': { exitCode: 2, httpStatus: 409, retry: 'never' },
  'plans.last-run': { exitCode: 1, httpStatus: 409, retry: 'never' },
} satisfies Record<string, ErrorKind>;

export type PlanErrorCode = keyof typeof kinds;

export class PlanError extends HoldfastError {
  declare readonly code: PlanErrorCode;

  constructor(code: PlanErrorCode, message: string, details?: ErrorDetails) {
    super(kinds[code], code, message, details);
  }
}
