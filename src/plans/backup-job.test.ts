import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { JobRecord } from '#catalog';
import type { PartResult } from './part-result.ts';
import { statusOf } from './plan-status.ts';
import { PlanBench } from './testing/plan-bench.ts';

const dayMs = 86_400_000;
const text = 'all that matters\n';

function partsOf(job: JobRecord): PartResult[] {
  return (job.result as { parts: PartResult[] }).parts;
}

function outcomes(job: JobRecord): string[] {
  return partsOf(job).map(({ source, repository, state }) => `${source} in ${repository}: ${state}`);
}

async function benchWith(repositories: string[]): Promise<PlanBench> {
  const bench = await PlanBench.open();
  for (const name of repositories) await bench.addRepository(name);
  await bench.addFolder('site', { 'a.txt': text, 'b/c.txt': text.repeat(20) });
  return bench;
}

test('a plan saves its source once and copies it into each repository; restic agrees', async () => {
  await using bench = await benchWith(['near', 'far']);
  await bench.addPlan('web', { kind: 'backup', sources: ['site'], repositories: ['near', 'far'] });
  const first = await bench.run('web');
  assert.deepEqual([first.state, first.reason], ['succeeded', undefined]);
  assert.deepEqual(outcomes(first), ['site in near: succeeded', 'site in far: succeeded']);
  for (const name of ['near', 'far']) {
    const [snapshot, ...more] = await bench.snapshotsIn(name);
    assert.deepEqual([more.length, snapshot!.plan, snapshot!.source], [0, 'web', 'site']);
    assert.deepEqual([snapshot!.jobId, snapshot!.facts.state], [first.id, 'succeeded']);
    assert.equal(snapshot!.facts.itemCount, 2);
    assert.deepEqual(
      snapshot!.badges.map(({ rung, state }) => [rung, state]),
      [['stored', 'proven']],
    );
    const [listed] = JSON.parse(bench.restic(name).run('snapshots', '--json')) as {
      id: string;
      tags: string[];
    }[];
    assert.equal(listed!.id, snapshot!.id);
    assert.deepEqual(listed!.tags.toSorted(), ['attempt=1', `job=${first.id}`, 'name=site', 'plan=web']);
    const file = join(bench.folder, 'sources/site/a.txt');
    assert.equal(bench.restic(name).run('dump', 'latest', file), text);
  }
  bench.write('site', { 'd.txt': 'new' });
  const second = await bench.run('web');
  assert.equal(second.state, 'succeeded');
  for (const name of ['near', 'far']) {
    assert.equal((await bench.snapshotsIn(name)).length, 2);
    bench.restic(name).run('check', '--read-data');
  }
  const steps = await bench.records.jobs.steps(second.id);
  assert.deepEqual(
    steps.map(({ name, state }) => `${name}: ${state}`),
    [
      'look at near: succeeded',
      'look at far: succeeded',
      'look at site: succeeded',
      'back up site to near: succeeded',
      'copy site to far: succeeded',
      'record what was made: succeeded',
    ],
  );
});

test('what cannot be read makes the job partial, its snapshots too, and nothing is forgotten then', async () => {
  await using bench = await benchWith(['near', 'far']);
  const paths = ['site', 'gone'].map((name) => join(bench.folder, 'sources', name));
  await bench.addSource('half', { kind: 'files', paths });
  await bench.addPlan('web', {
    kind: 'backup',
    sources: ['half'],
    repositories: ['near', 'far'],
    keep: { last: 1 },
  });
  for (let run = 0; run < 2; run++) {
    const job = await bench.run('web');
    assert.equal(job.state, 'partial');
    assert.equal(job.reason?.code, 'workflows.not-saved');
    assert.match(job.reason.message, /half in near: .*gone/);
  }
  for (const name of ['near', 'far'])
    assert.deepEqual(
      (await bench.snapshotsIn(name)).map(({ facts, forgottenAt }) => [facts.state, forgottenAt]),
      [
        ['partial', undefined],
        ['partial', undefined],
      ],
    );
});

test('a repository that cannot be had leaves the others their copies', async () => {
  await using bench = await benchWith(['near', 'far']);
  await bench.addPlan('web', {
    kind: 'backup',
    sources: ['site'],
    repositories: ['near', 'far'],
    keep: { last: 1 },
  });
  await bench.run('web');
  bench.secrets.set('env:near', 'not the password');
  const job = await bench.run('web');
  assert.deepEqual([job.state, job.reason?.code], ['partial', 'repository.wrong-password']);
  assert.deepEqual(outcomes(job), ['site in near: failed', 'site in far: succeeded']);
  assert.deepEqual(
    [(await bench.snapshotsIn('near')).length, (await bench.snapshotsIn('far')).length],
    [1, 2],
  );
  // Nothing goes where a run did not succeed everywhere.
  assert.ok((await bench.snapshotsIn('far')).every(({ forgottenAt }) => !forgottenAt));
  bench.secrets.set('env:far', 'nor this one');
  const failed = await bench.run('web');
  assert.equal(failed.state, 'failed');
  const status = await statusOf(bench.records, await bench.records.plans.get('web'), bench.clock.nowMs());
  assert.equal(status.health, 'failing');
});

test('a repository that is not required is a warning when it cannot be had', async () => {
  await using bench = await benchWith(['near', 'far']);
  const far = { repository: 'far', required: false };
  await bench.addPlan('web', { kind: 'backup', sources: ['site'], repositories: ['near', far] });
  bench.secrets.set('env:far', 'not the password');
  const job = await bench.run('web');
  assert.deepEqual([job.state, job.reason?.code], ['warning', 'repository.wrong-password']);
  assert.equal((await bench.snapshotsIn('near')).length, 1);
});

test('a source that is not there fails, and the other one is saved', async () => {
  await using bench = await benchWith(['near']);
  await bench.addSource('gone', { kind: 'files', paths: [join(bench.folder, 'nowhere')] });
  await bench.addPlan('web', { kind: 'backup', sources: ['gone', 'site'], repositories: ['near'] });
  const job = await bench.run('web');
  assert.equal(job.state, 'partial');
  assert.deepEqual(outcomes(job), ['gone in near: failed', 'site in near: succeeded']);
  const [snapshot, ...more] = await bench.snapshotsIn('near');
  assert.deepEqual([snapshot!.source, more.length], ['site', 0]);
});

test('what no rule keeps goes into the trash, can be taken back, and is gone after its grace; pinned ones stay', async () => {
  await using bench = await benchWith(['near']);
  await bench.addPlan('web', {
    kind: 'backup',
    sources: ['site'],
    repositories: ['near'],
    keep: { last: 1 },
  });
  for (let run = 0; run < 4; run++) await bench.run('web');
  const [newest, third, second, first] = await bench.snapshotsIn('near');
  assert.equal(newest!.forgottenAt, undefined);
  for (const each of [first, second, third]) assert.ok(each!.trashUntil, 'in the trash');
  assert.equal(await bench.withRepository('near', async (near) => (await near.snapshots()).length), 4);
  const at = new Date(bench.clock.nowMs()).toISOString();
  await bench.records.snapshots.savePins(second!, [{ kind: 'pin', by: 'Ada', at, note: 'for the audit' }]);
  await bench.records.snapshots.takeBack(third!);
  bench.clock.shiftMs = 8 * dayMs;
  await bench.run('web');
  const left = await bench.snapshotsIn('near');
  assert.deepEqual(
    left.map(({ id, forgottenAt }) => [id, forgottenAt !== undefined]),
    [
      [left[0]!.id, false],
      [newest!.id, true],
      [third!.id, true],
      [second!.id, true],
    ],
  );
  assert.deepEqual(
    JSON.parse(bench.restic('near').run('snapshots', '--json'))
      .map(({ id }: { id: string }) => id)
      .sort(),
    left.map(({ id }) => id).sort(),
  );
});

test('nothing is forgotten while the new snapshot is unlike those before, and that is told', async () => {
  await using bench = await benchWith(['near']);
  const plan = { kind: 'backup', sources: ['site'], repositories: ['near'], keep: { last: 3 } } as const;
  await bench.addPlan('web', { ...plan, repositories: ['near'], sources: ['site'] });
  for (let run = 0; run < 3; run++) await bench.run('web');
  rmSync(join(bench.folder, 'sources/site/b'), { recursive: true });
  const job = await bench.run('web');
  assert.deepEqual([job.state, job.reason?.code], ['warning', 'workflows.odd-snapshot']);
  assert.match(job.reason!.message, /% of the usual bytes/);
  assert.ok((await bench.snapshotsIn('near')).every(({ forgottenAt }) => !forgottenAt));
  const events = await bench.records.journal.events({ limit: 10, plan: 'web' });
  assert.ok(events.some(({ type }) => type === 'retention.held'));
  // Whoever only wants to be warned has retention all the same.
  const { revision } = await bench.records.plans.get('web');
  await bench.records.plans.change('web', {
    spec: { ...plan, sources: ['site'], repositories: ['near'], anomaly: 'warn' },
    revision,
  });
  assert.equal((await bench.run('web')).state, 'warning');
  assert.equal((await bench.snapshotsIn('near')).filter(({ forgottenAt }) => forgottenAt).length, 2);
});

test('Holdfast backs itself up into every repository, and opens what it restores', async () => {
  await using bench = await benchWith(['near', 'far']);
  await bench.addPlan('itself', { kind: 'self', keep: { last: 1 } });
  for (let run = 0; run < 2; run++) {
    const job = await bench.run('itself');
    assert.deepEqual([job.state, job.reason], ['succeeded', undefined]);
  }
  for (const name of ['near', 'far']) {
    const [newest, before] = await bench.snapshotsIn(name);
    assert.deepEqual(
      newest!.badges.map(({ rung, state }) => `${rung} ${state}`),
      ['stored proven', 'read-back proven'],
    );
    assert.ok(before!.forgottenAt);
  }
  const { items } = await bench.records.evidence.list({ subject: 'itself' }, { limit: 10 });
  assert.equal(items.length, 4);
});
