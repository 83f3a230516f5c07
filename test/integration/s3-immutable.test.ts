import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { PutObjectLockConfigurationCommand } from '@aws-sdk/client-s3';
import { systemClock } from '#base';
import {
  checkRepository,
  forgetSnapshots,
  initRepository,
  loadImmutableRule,
  openRepository,
  pruneRepository,
  type Repository,
  saveImmutableRule,
} from '#repository';
import { filesSource } from '#sources';
import { openStorage, type Storage, StorageError } from '#storage';
import { backup } from '#workflows';
import { holdfast, jsonLines } from '../command/holdfast.ts';
import { Restic } from '../servers/restic.ts';
import { startVersitygw } from '../servers/versitygw.ts';

const password = 'immutable';
const kdf = { N: 1024, r: 8, p: 1 };
const server = await startVersitygw();
after(() => server.stop());
const { credentials } = server;
const folder = mkdtempSync(join(tmpdir(), 'holdfast-immutable-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const env = {
  AWS_ACCESS_KEY_ID: credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
};
const rule = { mode: 'compliance', days: 3 } as const;
const dayMs = 86_400_000;

async function newRepository(keeps?: 'locks'): Promise<Repository> {
  const bucket = await server.makeBucket(keeps ? { keeps } : {});
  const storage = await openStorage(`s3:${server.endpoint}/${bucket}/repo`, { s3: { credentials } });
  after(() => storage.close());
  const repository = await initRepository({ storage, password, kdf });
  assert.equal(await loadImmutableRule(repository), undefined);
  await saveImmutableRule(repository, rule);
  assert.deepEqual(await loadImmutableRule(repository), rule);
  return repository;
}

async function backUp(repository: Repository, text: string) {
  const file = join(folder, 'file');
  writeFileSync(file, text);
  return backup({ repository, source: filesSource({ paths: [file] }) });
}

async function datesOf(storage: Storage): Promise<Map<string, Date | undefined>> {
  const dates = new Map<string, Date | undefined>();
  for await (const { name } of storage.list(''))
    dates.set(name, await storage.retention!.retainedUntil(name));
  return dates;
}

test('all that a snapshot needs is locked before it is reported; locks are not', async () => {
  const repository = await newRepository('locks');
  await using _lock = await repository.lock({ exclusive: false });
  const { state, immutableUntil, problems } = await backUp(repository, 'one');
  assert.deepEqual([state, problems], ['succeeded', []]);
  assert(immutableUntil!.getTime() >= systemClock.nowMs() + (rule.days - 0.01) * dayMs);
  assert.equal(immutableUntil!.getTime() % dayMs, 0);
  const dates = await datesOf(repository.storage);
  const folders = new Set<string>();
  for (const [name, date] of dates) {
    folders.add(name.slice(0, name.indexOf('/')));
    assert.deepEqual(date, name.startsWith('locks/') ? undefined : immutableUntil, name);
  }
  assert.deepEqual([...folders].sort(), ['confi', 'data', 'holdfast', 'index', 'keys', 'locks', 'snapshots']);
});

test('forget and prune work on what is locked, and prune comes back for it', async () => {
  const repository = await newRepository('locks');
  const first = await backUp(repository, 'one');
  await saveImmutableRule(repository, undefined);
  assert.equal(await loadImmutableRule(repository), undefined);
  const second = await backUp(repository, 'two');
  assert.equal(second.immutableUntil, undefined);
  await forgetSnapshots(repository, [first.snapshot!.id]);
  assert.deepEqual(
    (await repository.snapshots()).map(({ id }) => id),
    [second.snapshot!.id],
  );
  const report = await pruneRepository(repository, { graceMs: 0, maxUnused: { percent: 0 } });
  assert(report.packs.locked.count > 0);
  const check = await checkRepository(repository, { readData: 'all' });
  assert.deepEqual(
    check.findings.filter(({ gravity }) => gravity === 'error'),
    [],
  );
  const again = await pruneRepository(repository, { graceMs: 0, maxUnused: { percent: 0 } });
  assert.equal(again.packs.locked.count, report.packs.locked.count, 'still locked, and not forgotten');
  const restic = new Restic({
    repository: repository.storage.location,
    password,
    env,
  });
  restic.run('check', '--read-data');
  await backUp(repository, 'one');
  assert.deepEqual(
    (await checkRepository(repository, { readData: 'all' })).findings.filter(
      ({ gravity }) => gravity === 'error',
    ),
    [],
  );
});

test('a bucket without object lock makes it a warning', async () => {
  const repository = await newRepository();
  const { state, problems, snapshot, immutableUntil } = await backUp(repository, 'one');
  assert.equal(state, 'warning');
  assert(snapshot && !immutableUntil);
  assert.equal((problems[0]!.error as { code?: string }).code, 'storage.unsupported');
});

test('a bucket that locks everything by default: locks are hidden instead of deleted', async () => {
  const bucket = await server.makeBucket({ keeps: 'locks' });
  const DefaultRetention = { Mode: 'COMPLIANCE', Days: 1 } as const;
  const ObjectLockConfiguration = { ObjectLockEnabled: 'Enabled', Rule: { DefaultRetention } } as const;
  await server.client.send(
    new PutObjectLockConfigurationCommand({ Bucket: bucket, ObjectLockConfiguration }),
  );
  const storage = await openStorage(`s3:${server.endpoint}/${bucket}/repo`, { s3: { credentials } });
  after(() => storage.close());
  const repository = await initRepository({ storage, password, kdf });
  const first = await backUp(repository, 'one');
  const second = await backUp(repository, 'two');
  assert.deepEqual([first.state, second.state], ['succeeded', 'succeeded']);
  for await (const { name } of storage.list('locks/')) assert.fail(`${name} is still seen`);
  await forgetSnapshots(repository, [first.snapshot!.id]);
  const report = await pruneRepository(repository, { graceMs: 0, maxUnused: { percent: 0 } });
  assert(report.packs.locked.count > 0 && report.packs.deleted.count === 0);
  const { findings } = await checkRepository(repository, { readData: 'all' });
  assert.deepEqual(
    findings.filter(({ gravity }) => gravity === 'error'),
    [],
  );
});

test('by command: made with a rule, backed up, and the rule ended', async () => {
  const bucket = await server.makeBucket({ keeps: 'locks' });
  const at = ['-r', `s3:${server.endpoint}/${bucket}/command`];
  const run = (...args: string[]) => {
    const { status, stdout, stderr } = holdfast([...args, ...at, '--json'], { env });
    assert.equal(status, 0, stderr);
    return jsonLines(stdout).at(-1)!;
  };
  assert.deepEqual(run('init', '--lock-mode', 'compliance', '--lock-days', '2').lock, {
    mode: 'compliance',
    days: 2,
  });
  assert.deepEqual([run('lock').mode, run('lock').days], ['compliance', 2]);
  writeFileSync(join(folder, 'file'), 'by command');
  assert.match(String(run('backup', join(folder, 'file')).immutable_until), /^20\d\d-.*T00:00:00.000Z$/);
  assert.equal(run('lock', '--off').days, 0);
  assert.equal(run('backup', join(folder, 'file')).immutable_until, undefined);
});

test('by command: a place without object lock takes no rule', async () => {
  const bucket = await server.makeBucket();
  for (const place of [`s3:${server.endpoint}/${bucket}/r`, join(folder, 'local')]) {
    const { status, stderr } = holdfast(['init', '-r', place, '--lock-days', '2'], { env });
    assert.equal(status, 1);
    assert.match(stderr, /no object lock|missing object ?lock/i);
  }
});

test('a rule that was hidden or written over is put back and heeded, and a backup says so', async () => {
  const repository = await newRepository('locks');
  const { storage } = repository;
  assert.equal((await backUp(repository, 'one')).state, 'succeeded');
  const attacks = [
    () => storage.retention!.hide('holdfast/immutable'),
    () => storage.write('holdfast/immutable', Buffer.from('not sealed by us, and longer than a seal')),
  ];
  for (const [i, attack] of attacks.entries()) {
    await attack();
    assert.deepEqual(await loadImmutableRule(repository), { ...rule, isTampered: true });
    const { state, problems, immutableUntil } = await backUp(repository, `attack ${i}`);
    assert.equal(state, 'warning');
    assert.match(problems[0]!.error.message, /hidden or written over .* put back/);
    assert(immutableUntil);
    assert.deepEqual(await loadImmutableRule(repository), rule);
  }
});

test('where older versions cannot be listed, an unlocked snapshot after a locked one is told', async () => {
  const repository = await newRepository('locks');
  const { storage } = repository;
  await backUp(repository, 'one');
  await storage.retention!.hide('holdfast/immutable');
  const denied = async function* (): AsyncGenerator<never> {
    yield* [];
    throw new StorageError('storage.access-denied', 'no');
  };
  const limited = await openRepository({
    storage: {
      ...storage,
      capabilities: storage.capabilities,
      versions: { ...storage.versions!, list: denied },
    },
    password,
  });
  const { state, problems, immutableUntil } = await backUp(limited, 'two');
  assert.deepEqual([state, immutableUntil], ['warning', undefined]);
  assert.match(problems[0]!.error.message, /not locked, and the one before it is/);
});

test('by command: a lock that is shorter than the retention is told', async () => {
  const bucket = await server.makeBucket({ keeps: 'locks' });
  const at = ['-r', `s3:${server.endpoint}/${bucket}/short`];
  assert.equal(holdfast(['init', ...at, '--lock-days', '2'], { env }).status, 0);
  const file = join(folder, 'file');
  holdfast(['backup', file, ...at, '--time', '2026-01-02 03:04:05'], { env });
  assert.match(
    holdfast(['lock', ...at], { env }).stderr,
    /oldest snapshot is \d+ days old, the lock lasts 2 days/,
  );
  const forget = (...rules: string[]) => holdfast(['forget', ...at, ...rules, '--dry-run'], { env }).stderr;
  assert.match(forget('--keep-daily', '14'), /locked for 2 days and kept for 14 days/);
  assert.match(forget('--keep-monthly', 'unlimited'), /kept without end/);
  assert.equal(forget('--keep-daily', '2'), '');
});
