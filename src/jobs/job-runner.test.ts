import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { HoldfastError, systemClock, systemRandom } from '#base';
import { Catalog, type JobId, type JobRecord, type NewJob, newSealingKey } from '#catalog';
import { type EngineStore, openEngineStore } from './engine/engine-store.ts';
import { retryPolicies } from './engine/step-runner.ts';
import type { JobExecution } from './job-execution.ts';
import { type JobKind, JobRunner, type JobRunnerOptions } from './job-runner.ts';

let folder: string;
let catalog: Catalog;
let engineStore: EngineStore;
let runner: JobRunner;
let files = 0;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-jobs-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(async () => {
  const asIs = (spec: unknown): unknown => spec;
  catalog = await Catalog.open({
    place: { path: join(folder, `${files}.sqlite`) },
    masterKeys: [newSealingKey(systemRandom)],
    parse: { repository: asIs, source: asIs, plan: asIs, channel: asIs },
  });
  engineStore = await openEngineStore({ path: join(folder, `${files++}-engine.sqlite`) });
});
afterEach(async () => {
  await runner.stop();
  await engineStore.close();
  await catalog.close();
});

const quick = {
  maximumAttempts: 3,
  initialInterval: '10ms',
  maximumInterval: '10ms',
  backoffCoefficient: 1,
} as const;

function kindOf(run: JobKind['run']): JobKind {
  return { name: 'work', version: 1, parse: (input) => input, run };
}

async function startRunner(run: JobKind['run'], more: Partial<JobRunnerOptions> = {}): Promise<JobRunner> {
  const started = new JobRunner({
    store: catalog.jobs,
    engineStore,
    kinds: [kindOf(run)],
    clock: systemClock,
    workerId: `worker-${files}`,
    concurrency: 2,
    capacityOf: () => 1,
    onProblem: (error) => assert.fail(error as Error),
    retries: { ...retryPolicies, soon: quick },
    ...more,
  });
  await started.start();
  return started;
}

const work: NewJob = { kind: 'work', version: 1, input: {}, trigger: 'person', limits: [] };

async function until(id: JobId, isSo: (job: JobRecord) => boolean): Promise<JobRecord> {
  for (let i = 0; i < 2000; i++) {
    const job = (await catalog.jobs.get(id))!;
    if (isSo(job)) return job;
    await systemClock.sleep(10);
  }
  throw new Error(`never came: ${JSON.stringify(await catalog.jobs.get(id))}`);
}

const ended = (id: JobId): Promise<JobRecord> => until(id, ({ endedAt }) => endedAt !== undefined);

/** Waits for ever, but for the signal. */
function hang(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
}

test('a job runs through its steps, and its log, steps and result can be read', async () => {
  runner = await startRunner(async (execution) => {
    const read = await execution.step('read', async () => {
      execution.log('info', 'reading');
      return { bytes: 5 };
    });
    return { state: 'succeeded', result: read };
  });
  const { id } = await runner.submit(work);
  const job = await ended(id);
  assert.deepEqual([job.state, job.result, job.attempt], ['succeeded', { bytes: 5 }, 1]);
  assert.deepEqual(
    (await catalog.jobs.steps(id)).map(({ name, state }) => [name, state]),
    [['read', 'succeeded']],
  );
  const lines = await catalog.jobs.lines(id, { after: 0, limit: 10 });
  assert.deepEqual(
    lines.map(({ message, step }) => [message, step]),
    [['reading', 'read']],
  );
});

test('a failure has the code, the sentence and the hint of its error', async () => {
  runner = await startRunner(async (execution) => {
    const kind = { exitCode: 1, httpStatus: 500, retry: 'never' } as const;
    const error = new HoldfastError(kind, 'storage.access-denied', 'cannot write', { hint: 'Allow it.' });
    return execution.step('write', async () => Promise.reject(error));
  });
  const job = await ended((await runner.submit(work)).id);
  assert.equal(job.state, 'failed');
  assert.deepEqual(job.reason, { code: 'storage.access-denied', message: 'cannot write', hint: 'Allow it.' });
});

test('a failure that may pass is tried again, and each try is seen', async () => {
  let tries = 0;
  runner = await startRunner(async (execution) => {
    await execution.step('write', async () => {
      if (++tries < 3)
        throw new HoldfastError(
          { exitCode: 1, httpStatus: 503, retry: 'soon' },
          'storage.unreachable',
          'no answer',
        );
    });
    return { state: 'succeeded' };
  });
  const job = await ended((await runner.submit(work)).id);
  assert.deepEqual([job.state, job.attempt, tries], ['succeeded', 3, 3]);
  const lines = await catalog.jobs.lines(job.id, { after: 0, limit: 10 });
  assert.equal(lines.filter(({ message }) => message === 'tried again later: no answer').length, 2);
});

test('a cancelled job stops its running step at once', async () => {
  let aborted = false;
  runner = await startRunner(async (execution) =>
    execution.step('wait', async (signal) => {
      await hang(signal).catch((reason: unknown) => {
        aborted = true;
        throw reason;
      });
      return { state: 'succeeded' };
    }),
  );
  const { id } = await runner.submit(work);
  await until(id, ({ state }) => state === 'running');
  assert.ok(await runner.cancel(id, 'Ada'));
  const job = await ended(id);
  assert.deepEqual([job.state, job.reason?.code, aborted], ['cancelled', 'jobs.cancelled', true]);
});

test('a job that the server left in the middle goes on after the next start, and repeats no step that is done', async () => {
  const ran: string[] = [];
  const run = async (execution: JobExecution, isFirst: boolean) => {
    await execution.step('first', async () => ran.push('first'));
    await execution.step('second', async (signal) => {
      ran.push('second');
      if (isFirst) await hang(signal);
    });
    return { state: 'succeeded' } as const;
  };
  const stopped = await startRunner((execution) => run(execution, true));
  const { id } = await stopped.submit(work);
  await until(id, () => ran.includes('second'));
  await stopped.stop();
  assert.equal((await catalog.jobs.get(id))!.waitsFor, 'the server, which was stopped in the middle');
  runner = await startRunner((execution) => run(execution, false));
  const job = await ended(id);
  assert.deepEqual([job.state, job.attempt, ran], ['succeeded', 2, ['first', 'second', 'second']]);
});

test('a job that waits holds no worker, says what for, and its wait is no other attempt', async () => {
  runner = await startRunner(
    async (execution) => {
      await execution.wait('window', 300, 'the window that opens at 22:00');
      return { state: 'succeeded' };
    },
    { concurrency: 1 },
  );
  const { id } = await runner.submit(work);
  await until(id, ({ waitsFor }) => waitsFor === 'the window that opens at 22:00');
  const job = await ended(id);
  assert.deepEqual([job.state, job.attempt], ['succeeded', 1]);
});

test('jobs on one storage run one after the other', async () => {
  let running = 0;
  let most = 0;
  runner = await startRunner(async (execution) => {
    await execution.step('work', async () => {
      most = Math.max(most, ++running);
      await systemClock.sleep(20);
      running--;
    });
    return { state: 'succeeded' };
  });
  const jobs = await Promise.all([1, 2, 3].map(() => runner.submit({ ...work, limits: ['storage:nas'] })));
  for (const { id } of jobs) assert.equal((await ended(id)).state, 'succeeded');
  assert.equal(most, 1);
});

test('a job whose input is not of its kind fails, and says why', async () => {
  const strict: JobKind = {
    ...kindOf(async () => ({ state: 'succeeded' })),
    parse: () => {
      throw new Error('no plan in it');
    },
  };
  runner = await startRunner(strict.run, { kinds: [strict] });
  const job = await ended((await runner.submit(work)).id);
  assert.deepEqual([job.state, job.reason?.message], ['failed', 'no plan in it']);
});
