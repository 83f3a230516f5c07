import { type Clock, messageOf } from '#base';
import type { Held, JobId, JobRecord, JobStore, JobVerdict, NewJob } from '#catalog';
import { Engine, type Execution } from './engine/engine.ts';
import type { EngineStore } from './engine/engine-store.ts';
import { type RetryPolicies, StepRunner } from './engine/step-runner.ts';
import { JobsError } from './errors.ts';
import { JobExecution, reasonOf, stoppedSentence } from './job-execution.ts';

/** A kind of work. A change of its steps is another version: a job goes on in the version that it began in. */
export interface JobKind<Input = unknown> {
  name: string;
  version: number;
  /** @throws when the input is not what this kind takes */
  parse(input: unknown): Input;
  /** Does the work, in steps. What it rejects with makes the job *failed*, *cancelled* or tried again. */
  run(execution: JobExecution, input: Input): Promise<JobVerdict>;
}

export interface JobRunnerOptions {
  store: JobStore;
  engineStore: EngineStore;
  // biome-ignore lint/suspicious/noExplicitAny: each kind has an input of its own, which it parses itself
  kinds: readonly JobKind<any>[];
  clock: Clock;
  /** Unique to this process. */
  workerId: string;
  /** Jobs of this process that run at once. */
  concurrency: number;
  /** How many jobs may hold a limit of this name at once. */
  capacityOf(limit: string): number;
  /** Told of what goes wrong beside the jobs: the catalog cannot be reached, for example. */
  onProblem(error: unknown): void;
  retries?: RetryPolicies;
}

const heartbeatPauseMs = 2000;
/** Longer without a heartbeat, and a worker gives its job up: another one may have it. */
const heartbeatLostMs = 20_000;
const dispatchPauseMs = 1000;
/** A job whose worker is silent for so long, and which no other worker took over, is interrupted. */
const silentMs = 180_000;
const sweepPauseMs = 60_000;
const historyOfEngineMs = 86_400_000;

/** Runs jobs of one process: hands queued ones over, executes them, keeps their states true. */
export class JobRunner {
  readonly #options: JobRunnerOptions;
  readonly #engine: Engine;
  readonly #running = new Map<JobId, AbortController>();
  readonly #stopping = new AbortController();
  #loops: Promise<void>[] = [];
  #poke = Promise.withResolvers<void>();

  constructor(options: JobRunnerOptions) {
    this.#options = options;
    this.#engine = new Engine(options.engineStore, {
      kinds: options.kinds,
      concurrency: options.concurrency,
      execute: (execution) => this.#execute(execution),
      ...(options.retries && { retries: options.retries }),
    });
  }

  /** Takes up what an earlier process left, and begins. */
  async start(): Promise<void> {
    const { engineStore, store } = this.#options;
    await engineStore.releaseAll?.();
    for (const job of await store.dispatched()) await this.#engine.submit(job);
    await this.#engine.start();
    const { clock } = this.#options;
    const { signal } = this.#stopping;
    const sleep = (pauseMs: number): Promise<void> => clock.sleep(pauseMs, { signal });
    this.#loops = [
      this.#loop(
        () => this.#dispatch(),
        () => Promise.race([this.#poke.promise, sleep(dispatchPauseMs)]),
      ),
      this.#loop(
        () => this.#sweep(),
        () => sleep(sweepPauseMs),
      ),
    ];
  }

  async submit(job: NewJob): Promise<JobRecord> {
    const record = await this.#options.store.create(job);
    this.#poke.resolve();
    return record;
  }

  /** Asks for a job's end; one that runs here is aborted at once. @returns false when there is none or it has ended */
  async cancel(id: JobId, by: string): Promise<boolean> {
    const isKnown = await this.#options.store.cancel(id, by);
    if (isKnown) this.#running.get(id)?.abort(cancelled());
    return isKnown;
  }

  /** Interrupts what runs, so that it goes on after the next start. */
  async stop(): Promise<void> {
    const reason = new JobsError('jobs.stopping', 'the server stops');
    this.#stopping.abort(reason);
    for (const controller of this.#running.values()) controller.abort(reason);
    await Promise.all([...this.#loops, this.#engine.stop()]);
  }

  async #execute({ jobId, runId, steps }: Execution): Promise<void> {
    const { store, clock, workerId } = this.#options;
    const held = await store.begin({ id: jobId as JobId, runId, workerId });
    if (!held) return;
    const controller = new AbortController();
    this.#running.get(held.job.id)?.abort(lost());
    this.#running.set(held.job.id, controller);
    if (this.#stopping.signal.aborted) controller.abort(this.#stopping.signal.reason);
    const done = new AbortController();
    const watch = this.#watch(held, controller, done.signal);
    const execution = new JobExecution({ store, held, steps, clock, signal: controller.signal });
    try {
      const verdict = await this.#run(execution);
      await execution.flush();
      if (verdict) await store.finish(held, verdict);
      // Its limits are free: somebody may have waited for them.
      this.#poke.resolve();
    } finally {
      done.abort();
      await watch;
      if (this.#running.get(held.job.id) === controller) this.#running.delete(held.job.id);
    }
  }

  /** @returns undefined when the job is no longer ours */
  async #run(execution: JobExecution): Promise<JobVerdict | undefined> {
    const { job, signal } = execution;
    if (job.attempt > 1)
      execution.log('info', `goes on after an interruption or a failure, attempt ${job.attempt}`);
    try {
      const kind = this.#kindOf(job);
      const verdict = await kind.run(execution, kind.parse(job.input));
      return verdict;
    } catch (error) {
      if (StepRunner.isParked(error)) throw error;
      const reason: unknown = signal.aborted ? signal.reason : error;
      const code = reason instanceof JobsError ? reason.code : undefined;
      if (code === 'jobs.lost') return undefined;
      if (code === 'jobs.stopping') await execution.wait(`stopped ${job.attempt}`, 1, stoppedSentence);
      execution.log('error', messageOf(reason));
      return { state: code === 'jobs.cancelled' ? 'cancelled' : 'failed', reason: reasonOf(reason) };
    }
  }

  #kindOf({ kind, version }: JobRecord): JobKind {
    const found = this.#options.kinds.find((each) => each.name === kind && each.version === version);
    if (found) return found;
    throw new JobsError('jobs.kind', `no kind of job is called ${kind}, version ${version}`, {
      hint: 'The job was made by another version of Holdfast. Run it again.',
    });
  }

  /** Tells the catalog that we are alive, and hears whether the job is to end. */
  async #watch(held: Held, controller: AbortController, done: AbortSignal): Promise<void> {
    const { store, clock } = this.#options;
    let heardAtMs = clock.monotonicMs();
    while (!done.aborted && !controller.signal.aborted) {
      await clock.sleep(heartbeatPauseMs, { signal: done, background: true }).catch(() => {});
      if (done.aborted) return;
      try {
        const answer = await store.heartbeat(held);
        heardAtMs = clock.monotonicMs();
        if (answer === 'lost') controller.abort(lost());
        if (answer === 'cancel') controller.abort(cancelled());
      } catch (error) {
        this.#options.onProblem(error);
        if (clock.monotonicMs() - heardAtMs > heartbeatLostMs) controller.abort(lost());
      }
    }
  }

  async #loop(work: () => Promise<void>, rest: () => Promise<void>): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      await work().catch(this.#options.onProblem);
      // Only stopping ends a rest early.
      await rest().catch(() => {});
    }
  }

  async #dispatch(): Promise<void> {
    this.#poke = Promise.withResolvers();
    const { store, kinds, capacityOf, concurrency } = this.#options;
    const jobs = await store.dispatch({ kinds, capacityOf, countMax: concurrency });
    for (const job of jobs) await this.#engine.submit(job);
  }

  async #sweep(): Promise<void> {
    const { store, clock, engineStore } = this.#options;
    await store.interruptSilent(new Date(clock.nowMs() - silentMs));
    for (const job of await store.dispatched()) await this.#engine.submit(job);
    await engineStore.forget(new Date(clock.nowMs() - historyOfEngineMs));
  }
}

function cancelled(): JobsError {
  return new JobsError('jobs.cancelled', 'the job was cancelled');
}

function lost(): JobsError {
  return new JobsError('jobs.lost', 'another worker has taken the job over');
}
