import { type ErrorDetails, type ErrorKind, HoldfastError } from '#base';

/** Ways in which an execution ends without the job's own work having failed, and how jobs are refused. */
const kinds = {
  'jobs.cancelled': { exitCode: 130, httpStatus: 409, retry: 'never' },
  'jobs.lost': { exitCode: 1, httpStatus: 409, retry: 'soon' },
  'jobs.stopping': { exitCode: 130, httpStatus: 503, retry: 'soon' },
  'jobs.kind': { exitCode: 2, httpStatus: 400, retry: 'never' },
} satisfies Record<string, ErrorKind>;

export type JobsErrorCode = keyof typeof kinds;

export class JobsError extends HoldfastError {
  declare readonly code: JobsErrorCode;

  constructor(code: JobsErrorCode, message: string, details?: ErrorDetails) {
    super(kinds[code], code, message, details);
  }
}
