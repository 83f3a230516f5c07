import { Worker } from 'openworkflow';
import type { EngineStore } from './engine-store.ts';
import { type RetryPolicies, retryPolicies, StepRunner } from './step-runner.ts';

/** One execution of a job: everything in it runs again after a crash, but for the steps that are done. */
export interface Execution {
  jobId: string;
  /** Names the engine's own record of the job; the same in every execution. */
  runId: string;
  steps: StepRunner;
}

export interface EngineOptions {
  /** `name@version` of each kind of job that this process can run. */
  kinds: readonly { name: string; version: number }[];
  /** Jobs of this process that run at once. */
  concurrency: number;
  /** Runs one job. It must not reject but with what `steps` threw: see {@link StepRunner.isParked}. */
  execute(execution: Execution): Promise<void>;
  /** When failed steps are tried again; the defaults are for life, tests have no time. */
  retries?: RetryPolicies;
}

/**
 * Executes steps and remembers which are done; nothing else. State, history, limits and cancel requests are the
 * catalog's. OpenWorkflow 0.10.1 underneath (docs/decisions/0230): a worker that dies loses its lease after 30 s and
 * another one carries on; the step that was under way runs again.
 */
export class Engine {
  readonly #store: EngineStore;
  readonly #worker: Worker;

  constructor(store: EngineStore, { kinds, concurrency, execute, retries = retryPolicies }: EngineOptions) {
    this.#store = store;
    this.#worker = new Worker({
      backend: store.backend,
      concurrency,
      workflows: kinds.map(({ name, version }) => ({
        spec: { name, version: `${version}` },
        fn: async ({ input, step, run }) => {
          const { jobId } = input as { jobId: string };
          await execute({ jobId, runId: run.id, steps: new StepRunner(step, retries) });
          return null;
        },
      })),
    });
  }

  /** Hands a job over. Twice within a day is once. */
  async submit(job: { id: string; kind: string; version: number }): Promise<void> {
    await this.#store.backend.createWorkflowRun({
      workflowName: job.kind,
      version: `${job.version}`,
      idempotencyKey: job.id,
      config: {},
      context: null,
      input: { jobId: job.id },
      parentStepAttemptNamespaceId: null,
      parentStepAttemptId: null,
      availableAt: null,
      deadlineAt: null,
    });
  }

  async start(): Promise<void> {
    await this.#worker.start();
  }

  /** Takes no more jobs and waits for those under way; abort them first, or this waits for their ends. */
  async stop(): Promise<void> {
    await this.#worker.stop();
  }
}
