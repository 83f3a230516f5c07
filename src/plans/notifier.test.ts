import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { after, afterEach, before, test } from 'node:test';
import type { ChannelSpec } from '#contract';
import { Notifier, tellTest } from './notifier.ts';
import { PlanBench } from './testing/plan-bench.ts';

const hourMs = 3_600_000;
const telling = { host: 'db1', url: 'http://127.0.0.1:7373' };
const { signal } = new AbortController();

interface Told {
  type: string;
  severity: string;
  isRecovery: boolean;
  subject: { name: string };
  message: string;
  link: string;
}

let server: Server;
let url: string;
let told: Told[] = [];
let status = 204;

before(async () => {
  server = createServer(async (request, answer) => {
    const body = Buffer.concat(await request.toArray());
    if (status < 300) told.push(JSON.parse(body.toString()) as Told);
    answer.writeHead(status).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as { port: number }).port}/hook`;
});
after(() => server.close());
afterEach(() => {
  told = [];
  status = 204;
});

async function listeningBench(more: Partial<ChannelSpec> = {}) {
  const bench = await PlanBench.open();
  bench.secrets.set('env:HOOK', 'secret');
  const spec = { kind: 'webhook', url, secret: 'env:HOOK', ...more } as ChannelSpec;
  await bench.records.channels.add({ name: 'ops', spec, origin: { from: 'dashboard' } });
  const { records, surroundings, clock } = bench;
  const onProblem = (error: unknown): never => assert.fail(error as Error);
  const notifier = new Notifier({ records, surroundings, clock, onProblem, ...telling }, 'one');
  await notifier.pass(signal);
  const tell = async (type: string, severity: 'info' | 'error' = 'error'): Promise<void> => {
    const event = { type, severity, message: `${type} of web`, plan: 'web' } as const;
    await records.journal.add(type.startsWith('job.') ? { ...event, facts: { kind: 'backup' } } : event);
    await notifier.pass(signal);
  };
  return { bench, notifier, tell };
}

const heard = (): string[] => told.map(({ type, isRecovery }) => `${type}${isRecovery ? ' recovered' : ''}`);

test('a trouble is told once, again when it lasts, and its end to those who heard of it', async () => {
  const { bench, tell } = await listeningBench();
  await using _ = bench;
  await tell('job.succeeded', 'info');
  assert.deepEqual(heard(), []);
  await tell('job.failed');
  await tell('job.failed');
  assert.deepEqual(heard(), ['job.failed']);
  bench.clock.shiftMs += 25 * hourMs;
  await tell('job.failed');
  await tell('job.succeeded', 'info');
  await tell('job.succeeded', 'info');
  assert.deepEqual(heard(), ['job.failed', 'job.failed', 'job.succeeded recovered']);
  const [first] = told;
  assert.deepEqual(
    [first!.subject.name, first!.message, first!.link],
    ['web', 'job.failed of web', 'http://127.0.0.1:7373/plans/web'],
  );
  const { items } = await bench.records.deliveries.list({ channel: 'ops' }, { limit: 10 });
  assert.deepEqual(
    items.map(({ state }) => state),
    ['delivered', 'delivered', 'suppressed', 'delivered'],
  );
});

test('being late and its end are one trouble; a channel hears only of the types that it names', async () => {
  const { bench, tell } = await listeningBench({ events: ['plan.*'] });
  await using _ = bench;
  await tell('job.failed');
  await tell('plan.late');
  await tell('plan.recovered', 'info');
  assert.deepEqual(heard(), ['plan.late', 'plan.recovered recovered']);
});

test('what is not taken is tried again later, each attempt is written down, and no secret with it', async () => {
  const { bench, notifier, tell } = await listeningBench();
  await using _ = bench;
  status = 503;
  await tell('job.failed');
  const { items } = await bench.records.deliveries.list({ channel: 'ops' }, { limit: 1 });
  assert.deepEqual([items[0]!.state, items[0]!.attempt], ['waiting', 1]);
  assert.doesNotMatch(JSON.stringify(items), /hook|secret/);
  status = 204;
  await notifier.pass(signal);
  assert.deepEqual(heard(), []);
  bench.clock.shiftMs += 60_000;
  await notifier.pass(signal);
  assert.deepEqual(heard(), ['job.failed']);
  assert.equal((await bench.records.deliveries.list({ channel: 'ops' }, { limit: 1 })).items[0]!.attempt, 2);
});

test('of two servers one tells, and the other when the first is silent', async () => {
  const { bench, tell } = await listeningBench();
  await using _ = bench;
  const { records, surroundings, clock } = bench;
  const onProblem = (error: unknown): never => assert.fail(error as Error);
  const other = new Notifier({ records, surroundings, clock, onProblem, ...telling }, 'two');
  await other.pass(signal);
  await tell('job.failed');
  await other.pass(signal);
  assert.deepEqual(heard(), ['job.failed']);
  await records.journal.add({ type: 'plan.late', severity: 'error', message: 'late', plan: 'web' });
  clock.shiftMs += 2 * 60_000;
  await other.pass(signal);
  assert.deepEqual(heard(), ['job.failed', 'plan.late']);
});

test('a plan tells the channels that it names, and a channel can be tried out', async () => {
  const { bench, notifier, tell } = await listeningBench();
  await using _ = bench;
  const spec = { kind: 'webhook', url, secret: 'env:HOOK' } as const;
  await bench.records.channels.add({ name: 'boss', spec, origin: { from: 'dashboard' } });
  await bench.addPlan('web', { kind: 'backup', sources: ['x'], repositories: ['y'], notify: ['boss'] });
  await tell('job.failed');
  const { items } = await bench.records.deliveries.list({}, { limit: 10 });
  assert.deepEqual(
    items.map(({ channel }) => channel),
    ['boss'],
  );
  const nowMs = bench.clock.nowMs();
  await tellTest(bench.records, { name: 'ops' }, { ...telling, by: 'Ada', nowMs });
  await notifier.pass(signal);
  assert.deepEqual(heard(), ['job.failed', 'channel.test']);
});
