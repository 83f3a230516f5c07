import { type ErrorDetails, type ErrorKind, HoldfastError } from '#base';

/** Ways in which a job as a whole is refused or given up. Single files become problems instead. */
const kinds = {
  'workflows.same-place': { exitCode: 2, httpStatus: 400, retry: 'never' },
  'workflows.unsupported': { exitCode: 2, httpStatus: 400, retry: 'never' },
  'workflows.other-repository': { exitCode: 1, httpStatus: 409, retry: 'never' },
  'workflows.too-many-deletes': { exitCode: 1, httpStatus: 409, retry: 'never' },
  'workflows.too-many-problems': { exitCode: 1, httpStatus: 502, retry: 'later' },
  'workflows.changed': { exitCode: 1, httpStatus: 409, retry: 'later' },
  'workflows.differs': { exitCode: 1, httpStatus: 502, retry: 'later' },
  'workflows.incomplete': { exitCode: 1, httpStatus: 409, retry: 'later' },
} satisfies Record<string, ErrorKind>;

export type WorkflowErrorCode = keyof typeof kinds;

export class WorkflowError extends HoldfastError {
  declare readonly code: WorkflowErrorCode;

  constructor(code: WorkflowErrorCode, message: string, details?: ErrorDetails) {
    super(kinds[code], code, message, details);
  }
}
