import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Scheduler } from './scheduler.ts';
import { jobOfPlan } from './submit-plan.ts';
import { PlanBench } from './testing/plan-bench.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** A plan that is due each hour at half past; the clock stands at 12:00 of some day. */
async function hourlyBench(): Promise<PlanBench> {
  const bench = await PlanBench.open();
  const noonMs = Date.UTC(2030, 0, 15, 12);
  bench.clock.shiftMs = noonMs - bench.clock.nowMs();
  await bench.addRepository('near');
  await bench.addFolder('site', { 'a.txt': 'a' });
  await bench.addPlan('web', {
    kind: 'backup',
    sources: ['site'],
    repositories: ['near'],
    schedule: { hourly: 30 },
  });
  return bench;
}

/** Every job that was made, oldest first: `schedule succeeded`, with the time of the schedule. */
async function jobsOf(bench: PlanBench): Promise<string[]> {
  const { items } = await bench.records.jobs.list({ plan: 'web' }, { limit: 100 });
  const ended = await Promise.all(items.map(({ id }) => bench.ended(id)));
  return ended
    .map(
      ({ trigger, state, scheduledAt }) => `${trigger} ${scheduledAt?.toISOString().slice(11, 16)} ${state}`,
    )
    .reverse();
}

test('a plan runs once at each of its times, and missed runs are caught up once and reported', async () => {
  await using bench = await hourlyBench();
  await bench.scheduler.pass();
  assert.deepEqual(await jobsOf(bench), []);
  bench.clock.shiftMs += 31 * minuteMs;
  await bench.scheduler.pass();
  await bench.scheduler.pass();
  assert.deepEqual(await jobsOf(bench), ['schedule 12:30 succeeded']);
  // Nobody was there at 13:30, 14:30 and 15:30.
  bench.clock.shiftMs += 3 * hourMs + 10 * minuteMs;
  await bench.scheduler.pass();
  await bench.scheduler.pass();
  assert.deepEqual(await jobsOf(bench), [
    'schedule 12:30 succeeded',
    'schedule 15:30 missed',
    'catch-up 15:30 succeeded',
  ]);
  const [, missed] = (await bench.records.jobs.list({ plan: 'web' }, { limit: 10 })).items;
  assert.match(missed!.reason!.message, /^3 runs were missed/);
  const events = await bench.records.journal.events({ plan: 'web', limit: 10 });
  assert.ok(events.some(({ type }) => type === 'job.missed'));
});

test('a clock that is put back makes no run twice, and the plan goes on', async () => {
  await using bench = await hourlyBench();
  bench.clock.shiftMs += 31 * minuteMs;
  await bench.scheduler.pass();
  bench.clock.shiftMs -= hourMs;
  await bench.scheduler.pass();
  await bench.scheduler.pass();
  assert.deepEqual(await jobsOf(bench), ['schedule 12:30 succeeded']);
  bench.clock.shiftMs += hourMs;
  await bench.scheduler.pass();
  // The same slot is the same job.
  assert.deepEqual(await jobsOf(bench), ['schedule 12:30 succeeded']);
  bench.clock.shiftMs += hourMs;
  await bench.scheduler.pass();
  assert.deepEqual(await jobsOf(bench), ['schedule 12:30 succeeded', 'schedule 13:30 succeeded']);
});

test('a run that is still under way is not overlapped, nor does a paused plan run', async () => {
  await using bench = await hourlyBench();
  const plan = await bench.records.plans.get('web');
  // Whoever holds the source keeps the run waiting.
  const waiting = await bench.records.jobs.create({
    ...(await jobOfPlan(bench.records, plan, { trigger: 'person' })),
    version: 2,
  });
  bench.clock.shiftMs += 31 * minuteMs;
  await bench.scheduler.pass();
  await bench.records.jobs.cancel(waiting.id, 'Ada');
  assert.deepEqual(await jobsOf(bench), ['person undefined cancelled']);
  const pause = { reason: 'the machine moves' };
  await bench.records.plans.change('web', { spec: { ...plan.spec, pause } });
  bench.clock.shiftMs += hourMs;
  await bench.scheduler.pass();
  assert.deepEqual(await jobsOf(bench), ['person undefined cancelled']);
});

test('a plan that asks for what cannot be done is refused and told once, not passed over', async () => {
  await using bench = await hourlyBench();
  const { spec } = await bench.records.plans.get('web');
  const hooks = [{ when: 'after' as const, kind: 'http' as const, url: 'https://example.org/done' }];
  await bench.records.plans.change('web', { spec: { ...spec, hooks } });
  bench.clock.shiftMs += 31 * minuteMs;
  const said: string[] = [];
  const { records, runner, clock } = bench;
  const scheduler = new Scheduler({ records, runner, clock, onProblem: (name) => said.push(name) });
  await scheduler.pass();
  await scheduler.pass();
  assert.deepEqual(said, ['web', 'web']);
  const events = await bench.records.journal.events({ plan: 'web', limit: 10 });
  const refused = events.filter(({ type }) => type === 'plan.refused');
  assert.deepEqual(
    refused.map(({ message }) => message),
    ['web does not run: this version does not carry out hooks of plans'],
  );
});
