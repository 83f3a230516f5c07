import { type ErrorDetails, type ErrorKind, HoldfastError } from '#base';

/** Ways in which a schedule is refused that its schema does not see. */
const kinds = {
  'schedule.cron': { exitCode: 2, httpStatus: 422, retry: 'never' },
} satisfies Record<string, ErrorKind>;

export type ScheduleErrorCode = keyof typeof kinds;

export class ScheduleError extends HoldfastError {
  declare readonly code: ScheduleErrorCode;

  constructor(code: ScheduleErrorCode, message: string, details?: ErrorDetails) {
    super(kinds[code], code, message, details);
  }
}
