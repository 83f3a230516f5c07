import type { Retry } from '#base';

/** The part of OpenWorkflow's step API that we use. */
interface EngineSteps {
  run<T>(config: { name: string; retryPolicy: RetryPolicy }, work: () => Promise<T | undefined>): Promise<T>;
  sleep(name: string, duration: `${number}ms`): Promise<void>;
}

interface RetryPolicy {
  /** 0: without end. */
  maximumAttempts: number;
  initialInterval: `${number}ms`;
  backoffCoefficient: number;
  maximumInterval: `${number}ms`;
}

/** What a failed step may do; 'at-once': it did not fail, its execution was given up. */
export type StepRetry = Retry | 'at-once';

export type RetryPolicies = Record<StepRetry, RetryPolicy>;

export interface RetryChoice {
  retryOf(error: unknown): StepRetry;
  /** Called before the execution is parked because the step is tried again. */
  onRetry(error: unknown): Promise<void>;
}

/** How often and when a failed step is tried again, by what its error says of a retry. */
export const retryPolicies: RetryPolicies = {
  'at-once': { maximumAttempts: 0, initialInterval: '1ms', backoffCoefficient: 1, maximumInterval: '1ms' },
  never: { maximumAttempts: 1, initialInterval: '1000ms', backoffCoefficient: 2, maximumInterval: '1000ms' },
  soon: { maximumAttempts: 6, initialInterval: '5000ms', backoffCoefficient: 3, maximumInterval: '300000ms' },
  later: {
    maximumAttempts: 4,
    initialInterval: '900000ms',
    backoffCoefficient: 2,
    maximumInterval: '3600000ms',
  },
};

/** A step that failed and will be tried again, or waits: the execution ends here and the engine begins another. */
const parkedNames = ['SleepSignalError', 'StaleExecutionBranchError'];

/** Steps of one job: each is remembered by its name, and not repeated once it is done. */
export class StepRunner {
  readonly #steps: EngineSteps;
  readonly #policies: RetryPolicies;

  constructor(steps: EngineSteps, policies: RetryPolicies) {
    this.#steps = steps;
    this.#policies = policies;
  }

  /**
   * Runs a step, or gives the result that it had. `work` is safe to repeat: it may have run before without its end
   * having been recorded. A failure is tried again as `retryOf` says; after the last try it is the caller's.
   * @returns what `work` resolved with, through JSON
   */
  async run<T>(name: string, work: () => Promise<T>, { retryOf, onRetry }: RetryChoice): Promise<T> {
    // The engine reads the policy after the failure, so the error itself can decide it.
    const policy = { ...this.#policies.never };
    try {
      return await this.#steps.run({ name, retryPolicy: policy }, async () => {
        try {
          return await work();
        } catch (error) {
          Object.assign(policy, this.#policies[retryOf(error)]);
          throw error;
        }
      });
    } catch (error) {
      if (!isStepError(error)) throw error;
      const isLast = policy.maximumAttempts > 0 && error.stepFailedAttempts >= policy.maximumAttempts;
      if (isLast) throw error.originalError;
      await onRetry(error.originalError);
      throw error;
    }
  }

  /** Waits, for hours if need be: the job holds no worker while it does. */
  async sleep(name: string, durationMs: number): Promise<void> {
    await this.#steps.sleep(name, `${Math.ceil(durationMs)}ms`);
  }

  /** Whether a rejection means that the job goes on in another execution, and must be thrown on as it is. */
  static isParked(error: unknown): boolean {
    return isStepError(error) || (error instanceof Error && parkedNames.includes(error.name));
  }
}

interface StepError extends Error {
  stepFailedAttempts: number;
  originalError: unknown;
}

function isStepError(error: unknown): error is StepError {
  return error instanceof Error && error.name === 'StepError' && 'stepFailedAttempts' in error;
}
