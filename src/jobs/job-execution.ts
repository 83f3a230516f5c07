import { type Clock, HoldfastError, messageOf } from '#base';
import type { Held, JobRecord, JobStore, LogLine, Reason } from '#catalog';
import { type StepRetry, StepRunner } from './engine/step-runner.ts';
import { JobsError } from './errors.ts';

export interface ExecutionOptions {
  store: JobStore;
  held: Held;
  steps: StepRunner;
  clock: Clock;
  /** Aborted with a `JobsError` when the job is cancelled, lost to another worker, or the server stops. */
  signal: AbortSignal;
}

/** What a job waits for that a stop of the server interrupted. */
export const stoppedSentence = 'the server, which was stopped in the middle';
/** How often what is known of a running job is written down. */
const progressPauseMs = 1000;
/** Lines that wait to be written together. */
const linesMax = 100;

/** What a job's code sees of the job: its steps, its log, and when to stop. */
export class JobExecution {
  readonly job: JobRecord;
  readonly signal: AbortSignal;
  readonly #options: ExecutionOptions;
  readonly #lines: LogLine[] = [];
  #progressAtMs = Number.NEGATIVE_INFINITY;
  #step: string | undefined;

  constructor(options: ExecutionOptions) {
    this.#options = options;
    this.job = options.held.job;
    this.signal = options.signal;
  }

  /**
   * Runs a step, or gives the result that it had in an earlier execution. It must be safe to repeat.
   * @returns what `work` resolved with, through JSON
   */
  async step<T>(name: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { clock, steps, store, held } = this.#options;
    let startedAt: Date | undefined;
    const save = (state: 'running' | 'succeeded' | 'failed' | 'queued', reason?: Reason): Promise<void> =>
      store.saveStep(held, {
        name,
        state,
        attempt: this.job.attempt,
        startedAt: startedAt!,
        ...(reason && { reason }),
        ...(state !== 'running' && { endedAt: new Date(clock.nowMs()) }),
      });
    const begin = async (): Promise<T> => {
      this.signal.throwIfAborted();
      startedAt = new Date(clock.nowMs());
      this.#step = name;
      await save('running');
      return work(this.signal);
    };
    try {
      const result = await steps.run(name, begin, {
        retryOf: (error) => this.#retryOf(error),
        onRetry: async (error) => {
          await save('queued', reasonOf(error));
          await this.#park(error);
        },
      });
      if (startedAt) await save('succeeded');
      return result;
    } catch (error) {
      if (startedAt && !StepRunner.isParked(error)) await save('failed', reasonOf(error));
      throw error;
    } finally {
      this.#step = undefined;
      await this.flush();
    }
  }

  /** Waits without holding a worker. @param sentence what the job waits for: "the window that opens at 22:00" */
  async wait(name: string, durationMs: number, sentence: string): Promise<void> {
    const { steps, store, held } = this.#options;
    try {
      await steps.sleep(name, durationMs);
    } catch (error) {
      if (StepRunner.isParked(error)) await store.park(held, { waitsFor: sentence, isWait: true });
      throw error;
    }
  }

  log(level: LogLine['level'], message: string, more: Pick<LogLine, 'hint' | 'item'> = {}): void {
    const { clock } = this.#options;
    this.#lines.push({
      at: new Date(clock.nowMs()),
      level,
      message,
      ...more,
      ...(this.#step && { step: this.#step }),
    });
    // What cannot be written now is tried again with the next line, and by the end of the step at the latest.
    if (this.#lines.length >= linesMax) this.flush().catch(() => {});
  }

  /** Tells how far the work is. Written down once a second at most. */
  progress(progress: unknown): void {
    const { clock, store, held } = this.#options;
    if (clock.monotonicMs() - this.#progressAtMs < progressPauseMs) return;
    this.#progressAtMs = clock.monotonicMs();
    // Progress is a courtesy: the next second tells it again.
    store.saveProgress(held, progress).catch(() => {});
  }

  /** Tells it once a second, until the signal. */
  follow(look: () => unknown, until: AbortSignal): void {
    const { clock } = this.#options;
    const run = async (): Promise<void> => {
      while (!until.aborted) {
        this.progress(look());
        await clock.sleep(progressPauseMs, { signal: until, background: true }).catch(() => {});
      }
    };
    run().catch(() => {});
  }

  /** Whether what was thrown ends the execution, and is not a failure of the work that could be put up with. */
  hasToEnd(error: unknown): boolean {
    return StepRunner.isParked(error) || this.signal.aborted;
  }

  /** Before what only the job's one owner may do. @throws JobsError 'jobs.lost' */
  async assertHeld(): Promise<void> {
    const { store, held } = this.#options;
    if ((await store.heartbeat(held)) === 'lost')
      throw new JobsError('jobs.lost', 'another worker has taken the job over');
  }

  /** Writes the lines of the log that wait. */
  async flush(): Promise<void> {
    const lines = this.#lines.splice(0);
    if (lines.length === 0) return;
    try {
      await this.#options.store.appendLines(this.job.id, lines);
    } catch (error) {
      this.#lines.unshift(...lines);
      throw error;
    }
  }

  #retryOf(error: unknown): StepRetry {
    const { reason } = this.signal as { reason: unknown };
    if (this.signal.aborted && reason instanceof JobsError && reason.code !== 'jobs.cancelled')
      return 'at-once';
    if (this.signal.aborted) return 'never';
    return error instanceof HoldfastError ? error.retry : 'never';
  }

  async #park(error: unknown): Promise<void> {
    const isStopping = this.signal.aborted;
    const waitsFor = isStopping ? stoppedSentence : `another try, after: ${messageOf(error)}`;
    if (!isStopping) this.log('warning', `tried again later: ${messageOf(error)}`, hintOf(error));
    await this.#options.store.park(this.#options.held, { waitsFor, isWait: false });
  }
}

function hintOf(error: unknown): { hint?: string } {
  return error instanceof HoldfastError && error.hint ? { hint: error.hint } : {};
}

/** Why something failed, as people and scripts are told. */
export function reasonOf(error: unknown): Reason {
  if (error instanceof HoldfastError) return { code: error.code, message: error.message, ...hintOf(error) };
  return {
    code: 'jobs.unforeseen',
    message: messageOf(error),
    hint: 'This is a fault of Holdfast: report it with the log of the job.',
  };
}
