import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { HoldfastError, type Retry } from '#base';
import { Engine, type EngineOptions, type Execution } from './engine.ts';
import { openEngineStore } from './engine-store.ts';
import { retryPolicies, StepRunner } from './step-runner.ts';

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-engine-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

const kinds = [{ name: 'work', version: 1 }];
const quick = { initialInterval: '10ms', maximumInterval: '10ms', backoffCoefficient: 1 } as const;
const retries = {
  'at-once': retryPolicies['at-once'],
  never: retryPolicies.never,
  soon: { ...quick, maximumAttempts: 3 },
  later: { ...quick, maximumAttempts: 2 },
};

function failure(retry: Retry): HoldfastError {
  return new HoldfastError({ exitCode: 1, httpStatus: 500, retry }, 'test.failed', 'it failed');
}

let databases = 0;

/** Runs one job to its end, however many executions that takes. */
async function runToEnd(execute: EngineOptions['execute']): Promise<void> {
  const store = await openEngineStore({ path: join(folder, `${databases++}.sqlite`) });
  const ended = Promise.withResolvers<void>();
  const engine = new Engine(store, {
    kinds,
    concurrency: 1,
    retries,
    execute: async (execution) => {
      try {
        await execute(execution);
        ended.resolve();
      } catch (error) {
        if (!StepRunner.isParked(error)) ended.reject(error as Error);
        throw error;
      }
    },
  });
  await engine.submit({ id: 'a', kind: 'work', version: 1 });
  await engine.start();
  try {
    await ended.promise;
  } finally {
    await engine.stop();
    await store.close();
  }
}

const retryOf = (error: unknown): Retry => (error instanceof HoldfastError ? error.retry : 'never');
const noRetry = { retryOf, onRetry: async () => assert.fail('the step was to be tried again') };

test('a step that is done is not repeated when a later one is tried again', async () => {
  const ran: string[] = [];
  await runToEnd(async ({ steps }) => {
    const first = await steps.run('first', async () => ran.push('first'), noRetry);
    assert.equal(first, 1);
    const onRetry = async (error: unknown): Promise<void> => void ran.push((error as HoldfastError).code);
    await steps.run(
      'second',
      async () => {
        if (ran.push('second') < 4) throw failure('soon');
      },
      { retryOf, onRetry },
    );
  });
  assert.deepEqual(ran, ['first', 'second', 'test.failed', 'second']);
});

for (const [retry, attempts] of [
  ['never', 1],
  ['soon', 3],
  ['later', 2],
] as const) {
  test(`a step whose error says '${retry}' is tried ${attempts} times, then its own error comes out`, async () => {
    let tried = 0;
    const run = runToEnd(async ({ steps }) => {
      const work = async (): Promise<void> => {
        tried++;
        throw failure(retry);
      };
      await steps.run('step', work, { retryOf, onRetry: async () => {} });
    });
    await assert.rejects(run, { code: 'test.failed', message: 'it failed' });
    assert.equal(tried, attempts);
  });
}

test('an error that nobody foresaw is not tried again', async () => {
  const run = runToEnd(async ({ steps }) => {
    await steps.run('step', async () => Promise.reject(new TypeError('a bug')), noRetry);
  });
  await assert.rejects(run, { message: 'a bug' });
});

test('a job that sleeps holds no worker, and goes on in another execution', async () => {
  const executions: Execution[] = [];
  await runToEnd(async (execution) => {
    executions.push(execution);
    await execution.steps.sleep('rest', 20);
  });
  assert.equal(executions.length, 2);
  assert.equal(executions[0]!.runId, executions[1]!.runId);
});

test('what a dead process had under way goes on at once when it is released', async () => {
  const path = join(folder, 'dead.sqlite');
  const dead = await openEngineStore({ path });
  await new Engine(dead, { kinds, concurrency: 1, execute: async () => {} }).submit({
    id: 'a',
    kind: 'work',
    version: 1,
  });
  assert.ok(await dead.backend.claimWorkflowRun({ workerId: 'dead', leaseDurationMs: 30_000 }));
  await dead.close();

  const store = await openEngineStore({ path });
  const ran = Promise.withResolvers<string>();
  const engine = new Engine(store, {
    kinds,
    concurrency: 1,
    execute: async ({ jobId }) => ran.resolve(jobId),
  });
  await store.releaseAll!();
  await engine.start();
  assert.equal(await ran.promise, 'a');
  await engine.stop();
  assert.equal(await store.forget(new Date(0)), 0);
  assert.equal(await store.forget(new Date(Date.now() + 1000)), 1);
  await store.close();
});

test('a job handed over twice runs once', async () => {
  const store = await openEngineStore({ path: join(folder, 'twice.sqlite') });
  const ran: string[] = [];
  const last = Promise.withResolvers<void>();
  const engine = new Engine(store, {
    kinds,
    concurrency: 1,
    execute: async ({ jobId }) => {
      ran.push(jobId);
      if (jobId === 'b') last.resolve();
    },
  });
  for (const id of ['a', 'a', 'b']) await engine.submit({ id, kind: 'work', version: 1 });
  await engine.start();
  await last.promise;
  await engine.stop();
  await store.close();
  assert.deepEqual(ran, ['a', 'b']);
});
