import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Clock, systemClock, systemRandom } from '#base';
import { type JobId, type JobRecord, type NewJob, newSealingKey } from '#catalog';
import type { PlanSpec, SourceSpec } from '#contract';
import { JobRunner, openEngineStore } from '#jobs';
import { initRepository, inlineExecutor, type Repository } from '#repository';
import { Restic } from '../../../test/servers/restic.ts';
import { jobKinds } from '../job-kinds.ts';
import { openRepositorySpec, type Surroundings } from '../open-specs.ts';
import { openRecords, type Records } from '../records.ts';
import { Scheduler } from '../scheduler.ts';
import { capacityOf, jobOfPlan } from '../submit-plan.ts';
import type { WorkContext } from '../work-context.ts';

const origin = { from: 'dashboard' } as const;
const kdf = { N: 1024, r: 8, p: 1 };

const once = {
  maximumAttempts: 1,
  initialInterval: '10ms',
  maximumInterval: '10ms',
  backoffCoefficient: 1,
} as const;
const retries = {
  'at-once': { ...once, maximumAttempts: 0 },
  never: once,
  soon: { ...once, maximumAttempts: 2 },
  later: { ...once, maximumAttempts: 2 },
};

/** Runs ahead of the system's clock, or behind it. */
interface ShiftedClock extends Clock {
  shiftMs: number;
}

/** A catalog, an engine, a worker and a scheduler in a temporary folder, with what plans need. */
export class PlanBench implements AsyncDisposable {
  readonly folder: string;
  readonly clock: ShiftedClock;
  readonly secrets = new Map<string, string>();
  readonly records: Records;
  readonly surroundings: Surroundings;
  readonly context: WorkContext;
  readonly runner: JobRunner;
  readonly scheduler: Scheduler;
  readonly #close: AsyncDisposableStack;

  private constructor(parts: {
    folder: string;
    clock: ShiftedClock;
    records: Records;
    engine: Awaited<ReturnType<typeof openEngineStore>>;
    key: ReturnType<typeof newSealingKey>;
    more: Partial<WorkContext>;
  }) {
    const { folder, clock, records, engine, key, more } = parts;
    this.folder = folder;
    this.clock = clock;
    this.records = records;
    this.surroundings = {
      secret: async (reference) => {
        const secret = this.secrets.get(reference);
        assert(secret !== undefined, `nobody knows ${reference}`);
        return secret;
      },
      cacheFolder: join(folder, 'cache'),
      clock,
      executor: inlineExecutor(),
    };
    const { surroundings } = this;
    const home = join(folder, 'home');
    const work = join(home, 'work');
    this.context = { surroundings, records, masterKeys: [key], home, folder: work, ...more };
    this.runner = new JobRunner({
      store: records.jobs,
      engineStore: engine,
      kinds: jobKinds(this.context),
      clock,
      workerId: 'bench',
      concurrency: 2,
      capacityOf,
      retries,
      onProblem: (error) => assert.fail(error as Error),
    });
    this.scheduler = new Scheduler({
      records,
      runner: this.runner,
      clock,
      onProblem: (plan, error) => assert.fail(`${plan}: ${String(error)}`),
    });
    this.#close = new AsyncDisposableStack();
    this.#close.defer(() => rmSync(folder, { recursive: true, force: true }));
    this.#close.use(records);
    this.#close.defer(() => engine.close());
    this.#close.defer(() => this.runner.stop());
  }

  static async open(more: Partial<WorkContext> = {}): Promise<PlanBench> {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-plan-'));
    const clock: ShiftedClock = {
      ...systemClock,
      shiftMs: 0,
      nowMs: () => systemClock.nowMs() + clock.shiftMs,
    };
    const key = newSealingKey(systemRandom);
    const place = { path: join(folder, 'catalog.sqlite') };
    const records = await openRecords({ place, masterKeys: [key], clock });
    const engine = await openEngineStore({ path: join(folder, 'engine.sqlite') });
    const bench = new PlanBench({ folder, clock, records, engine, key, more });
    await bench.runner.start();
    return bench;
  }

  /** A new repository beside the catalog; its password is its name. */
  async addRepository(name: string): Promise<void> {
    const location = join(this.folder, 'repositories', name);
    await initRepository({ storage: location, password: name, kdf, executor: inlineExecutor() });
    this.secrets.set(`env:${name}`, name);
    await this.records.repositories.add({ name, spec: { location, password: `env:${name}` }, origin });
  }

  /** A folder with these files, as a source. @returns where it is */
  async addFolder(name: string, files: Record<string, string>): Promise<string> {
    const path = join(this.folder, 'sources', name);
    this.write(name, files);
    await this.addSource(name, { kind: 'files', paths: [path] });
    return path;
  }

  async addSource(name: string, spec: SourceSpec): Promise<void> {
    await this.records.sources.add({ name, spec, origin });
  }

  write(source: string, files: Record<string, string>): void {
    for (const [file, text] of Object.entries(files)) {
      const path = join(this.folder, 'sources', source, file);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
  }

  async addPlan(name: string, spec: PlanSpec): Promise<void> {
    await this.records.plans.add({ name, spec, origin });
  }

  /** Runs a plan to its end. */
  async run(plan: string): Promise<JobRecord> {
    return this.runJob(
      await jobOfPlan(this.records, await this.records.plans.get(plan), { trigger: 'person' }),
    );
  }

  async runJob(job: NewJob): Promise<JobRecord> {
    return this.ended((await this.runner.submit(job)).id);
  }

  async ended(id: JobId): Promise<JobRecord> {
    for (let look = 0; look < 6000; look++) {
      const job = (await this.records.jobs.get(id))!;
      if (job.endedAt) return job;
      await systemClock.sleep(10);
    }
    throw new Error(`never ended: ${JSON.stringify(await this.records.jobs.get(id))}`);
  }

  /** All of one repository by the catalog, newest first, those in the trash too. */
  snapshotsIn(repository: string) {
    return this.records.snapshots.ofRepository(repository);
  }

  async withRepository<T>(name: string, work: (repository: Repository) => Promise<T>): Promise<T> {
    const { spec } = await this.records.repositories.get(name);
    await using opened = await openRepositorySpec(spec, this.surroundings);
    return await work(opened.thing);
  }

  restic(name: string): Restic {
    const repository = join(this.folder, 'repositories', name);
    return new Restic({ repository, password: name, folder: this.folder });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close.disposeAsync();
  }
}
