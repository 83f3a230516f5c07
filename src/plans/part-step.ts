import { type JobExecution, reasonOf } from '#jobs';
import type { Problem } from '#workflows';
import type { PartResult } from './part-result.ts';

/** One source in one repository. */
export interface Place {
  source: string;
  repository: string;
  /** False: a failure here is a warning for the job. */
  isRequired: boolean;
}

/** A step whose failure concerns one place; the others go on. */
export async function partStep(
  execution: JobExecution,
  step: { name: string; place: Place },
  work: (signal: AbortSignal) => Promise<PartResult>,
): Promise<PartResult> {
  try {
    return await execution.step(step.name, work);
  } catch (error) {
    if (execution.hasToEnd(error)) throw error;
    const reason = reasonOf(error);
    execution.log('error', `${step.name}: ${reason.message}`, reason.hint ? { hint: reason.hint } : {});
    return { ...step.place, state: 'failed', reason };
  }
}

/** Writes what went wrong with a single thing into the job's log. */
export function logProblem(execution: JobExecution, { path, error, gravity }: Problem): void {
  execution.log(gravity === 'lost' ? 'error' : 'warning', error.message, { item: path });
}
