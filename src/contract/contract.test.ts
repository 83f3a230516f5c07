import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import * as contract from './index.ts';

const { BackupPlan, KeepPolicy, PlanSpec, Schedule, SecretRef, SecretUrl, sizeBytes, spanMs, targetsOf } =
  contract;

/** `path: message` of what a schema refuses. */
function refusalsOf(schema: z.ZodType, value: unknown): string[] {
  const issues = schema.safeParse(value).error?.issues ?? [];
  return issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

test('a plan without a kind is a backup', () => {
  const plan = PlanSpec.parse({ sources: ['shop'], repositories: ['nas'] });
  assert.equal(plan.kind, 'backup');
  assert.deepEqual(z.encode(PlanSpec, plan), { kind: 'backup', sources: ['shop'], repositories: ['nas'] });
});

test('refuses members that no plan has, and kinds that are none', () => {
  assert.deepEqual(refusalsOf(BackupPlan, { sources: ['shop'], repositories: ['nas'], scedule: {} }), [
    ': Unrecognized key: "scedule"',
  ]);
  assert.equal(PlanSpec.safeParse({ kind: 'sync' }).error?.issues[0]?.path[0], 'kind');
});

test('each repository of a plan has its own retention, or that of the plan', () => {
  const plan = PlanSpec.parse({
    sources: ['shop'],
    repositories: ['nas', { repository: 'far', keep: { yearly: 3 } }, { repository: 'usb', required: false }],
    keep: { daily: 7 },
  });
  assert.deepEqual(targetsOf(plan), [
    { repository: 'nas', keep: { daily: 7 }, isRequired: true },
    { repository: 'far', keep: { yearly: 3 }, isRequired: true },
    { repository: 'usb', keep: { daily: 7 }, isRequired: false },
  ]);
  assert.deepEqual(targetsOf(PlanSpec.parse({ kind: 'self' })), []);
  assert.deepEqual(targetsOf(PlanSpec.parse({ kind: 'replicate', copy: { from: 'nas', to: ['far'] } })), [
    { repository: 'far', isRequired: true },
  ]);
});

test('a replication copies a repository or mirrors a storage, not both and not neither', () => {
  const mirror = { from: { location: '/a' }, to: { location: '/b' } };
  const copy = { from: 'nas', to: ['far'] };
  for (const ways of [{ copy }, { mirror }]) PlanSpec.parse({ kind: 'replicate', ...ways });
  for (const ways of [{}, { copy, mirror }])
    assert.deepEqual(refusalsOf(PlanSpec, { kind: 'replicate', ...ways }), [': give either copy or mirror']);
});

test('a retention policy has a rule, and none of nothing', () => {
  KeepPolicy.parse({ daily: 7, yearly: 'all', within: '1y6m' });
  for (const policy of [{}, { daily: 0 }, { daily: -1 }, { within: '2w' }])
    assert.equal(KeepPolicy.safeParse(policy).success, false, JSON.stringify(policy));
});

test('a schedule has exactly one rhythm', () => {
  for (const rhythm of [
    { every: '10min' },
    { every: '6h' },
    { every: '24h' },
    { hourly: 0 },
    { daily: '02:30' },
    { daily: ['02:30', '14:30'] },
    { weekly: 'Sun 03:00' },
    { monthly: ['1 03:00', 'last 22:00'] },
    { cron: '30 2 * * 1-5' },
  ])
    Schedule.parse({ ...rhythm, zone: 'Europe/Paris' });
  for (const schedule of [
    {},
    { daily: '02:30', hourly: 5 },
    { every: '7min' },
    { every: '5h' },
    { every: '48h' },
    { every: '30s' },
    { hourly: 60 },
    { daily: '2:30' },
    { daily: '24:00' },
    { weekly: 'Sunday 03:00' },
    { monthly: '32 03:00' },
    { cron: '* * * *' },
    { daily: '02:30', zone: 'Europe/Nowhere' },
    { daily: '02:30', zone: '+02:00' },
  ])
    assert.equal(Schedule.safeParse(schedule).success, false, JSON.stringify(schedule));
});

test('a secret is told by its place, never by itself', () => {
  for (const ref of ['env:SHOP_PASSWORD', 'file:/etc/holdfast/password', 'sealed:v1.AbC_-='])
    assert.equal(SecretRef.parse(ref), ref);
  for (const text of ['hunter2', 'env:', 'env:A B', 'file:relative', 'sealed:'])
    assert.equal(SecretRef.safeParse(text).success, false, text);
  for (const url of ['mongodb://db/shop', 'mongodb://me@db,db2:27018/?x=a:b@c', 'env:MONGO_URL'])
    assert.equal(SecretUrl.parse(url), url);
  for (const url of ['mongodb://me:hunter2@db/', 'mongodb+srv://me:p%40ss@db/', 'https://:x@host/', 'shop'])
    assert.equal(SecretUrl.safeParse(url).success, false, url);
});

test('each kind of channel has what it needs, and nothing of another', () => {
  const { ChannelSpec } = contract;
  ChannelSpec.parse({ kind: 'slack', url: 'env:SLACK' });
  ChannelSpec.parse({ kind: 'telegram', url: 'https://api.telegram.org', token: 'env:BOT', chat: '-100' });
  for (const channel of [
    { kind: 'slack', url: 'env:SLACK', chat: '1' },
    { kind: 'telegram', url: 'env:BOT_URL' },
    { kind: 'webhook', url: 'env:HOOK' },
    { kind: 'pager', url: 'env:PAGER' },
  ])
    assert.equal(ChannelSpec.safeParse(channel).success, false, JSON.stringify(channel));
});

test('no message of a refusal repeats what was given', () => {
  const canary = 'CANARY-hunter2';
  const given = [
    [SecretRef, canary],
    [SecretUrl, `mongodb://me:${canary}@db/`],
    [contract.Location, `sftp://me:${canary}@host/x`],
    [contract.RepositorySpec, { location: `s3:https://key:${canary}@host/bucket`, password: canary }],
  ] as const;
  for (const [schema, value] of given) {
    const refusals = refusalsOf(schema, value).join('\n');
    assert.notEqual(refusals, '');
    assert.ok(!refusals.includes(canary), refusals);
  }
});

test('reads spans and sizes', () => {
  assert.deepEqual(
    ['90s', '10min', '26h', '1h30min', '7d', '2w'].map(spanMs),
    [90_000, 600_000, 93_600_000, 5_400_000, 604_800_000, 1_209_600_000],
  );
  assert.deepEqual([512, '20MiB', '1.5 GB', '3kB'].map(sizeBytes), [512, 20_971_520, 1.5e9, 3000]);
  for (const span of ['', '10', '10m', '1M', '-1h'])
    assert.equal(contract.Span.safeParse(span).success, false, span);
});

test('every shape can be told as JSON Schema, for what is sent and for what comes back', () => {
  const schemas = Object.entries(contract).filter(([, face]) => face instanceof z.ZodType);
  assert.ok(schemas.length > 60);
  for (const [name, schema] of schemas) {
    for (const io of ['input', 'output'] as const) {
      const json = z.toJSONSchema(schema as z.ZodType, { io });
      assert.equal(json.$schema, 'https://json-schema.org/draft/2020-12/schema', name);
    }
  }
});
