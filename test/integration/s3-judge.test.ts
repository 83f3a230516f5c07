import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { CreateMultipartUploadCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import { collect, systemClock } from '#base';
import { checkRepository, initRepository, openRepository, type Repository } from '#repository';
import { filesSource } from '#sources';
import { openStorage, type Storage } from '#storage';
import { backup, restore } from '#workflows';
import { listedNames } from '../../src/storage/testing/expect.ts';
import { Restic } from '../servers/restic.ts';
import { startVersitygw } from '../servers/versitygw.ts';
import { describeTree } from '../trees/describe-tree.ts';
import { makeNastyTree } from '../trees/nasty-tree.ts';

const password = 'judge';
const kdf = { N: 1024, r: 8, p: 1 };
const server = await startVersitygw();
after(() => server.stop());
const { credentials } = server;
const env = {
  AWS_ACCESS_KEY_ID: credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
};
const folder = mkdtempSync(join(tmpdir(), 'holdfast-s3-judge-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const tree = join(folder, 'tree');
let original: Record<string, string>;
let location: string;

before(async () => {
  makeNastyTree(tree);
  original = asResticKeepsIt(describeTree(tree));
  location = `s3:${server.endpoint}/${await server.makeBucket()}`;
});

/** restic 0.14 does not know `linktarget_raw`: a byte of a link that is not UTF-8 becomes U+FFFD there. */
function asResticKeepsIt(facts: Record<string, string>): Record<string, string> {
  const key = '/kinds/link to not utf8';
  const kept = facts[key]!.replace('\xff', Buffer.from('\ufffd').toString('latin1'));
  return { ...facts, [key]: kept };
}

const open = (place: string): Promise<Storage> => openStorage(place, { s3: { credentials } });
const resticAt = (repository: string) => new Restic({ repository, password, folder, env });

async function backUp(repository: Repository) {
  const outcome = await backup({ repository, source: filesSource({ paths: [tree] }) });
  assert.deepEqual([outcome.state, outcome.problems], ['succeeded', []]);
  return outcome.summary;
}

test('restic checks, restores and extends what we wrote to S3', async () => {
  const place = `${location}/ours`;
  const repository = await initRepository({ storage: await open(place), password, kdf });
  await backUp(repository);
  const restic = resticAt(place);
  restic.run('check', '--read-data');
  restic.run('restore', 'latest', '--target', join(folder, 'by-restic'));
  assert.deepEqual(describeTree(join(folder, 'by-restic', tree)), original);
  restic.run('backup', '--force', tree);
  const summary = await backUp(repository);
  assert.equal(summary.filesUnmodified, summary.totalFilesProcessed, 'restic’s snapshot is our parent');
  restic.run('check', '--read-data');
  await repository.storage.close();
});

test('we check, restore and extend what restic wrote to S3', async () => {
  const place = `${location}/theirs`;
  const restic = resticAt(place);
  restic.run('init');
  restic.run('backup', tree);
  const repository = await openRepository({ storage: await open(place), password });
  const report = await checkRepository(repository, { readData: 'all' });
  assert.deepEqual(report.findings, []);
  assert(report.packs > 0 && report.packsRead === report.packs);
  const target = join(folder, 'by-us');
  const restored = await restore({ repository, snapshot: await repository.findSnapshot('latest'), target });
  assert.deepEqual([restored.state, restored.problems], ['succeeded', []]);
  assert.deepEqual(describeTree(join(target, tree)), original);
  assert.equal((await backUp(repository)).dataBlobs, 0);
  restic.run('check', '--read-data');
  await repository.storage.close();
});

test('a writer that is killed in the middle of a large file leaves nothing visible, and its parts are removed', async () => {
  const place = `${location}/killed`;
  const storage = await open(place);
  await storage.write('data/before', Buffer.from('before'));
  const worker = join(import.meta.dirname, '../../src/storage/testing/stream-worker.ts');
  const child = spawn(process.execPath, [...process.execArgv, worker, place, 'data/large'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  const ended = once(child, 'exit');
  let sentMiB = 0;
  // Beyond what may wait in memory, so some parts are at the server.
  for await (const _line of createInterface({ input: child.stdout }))
    if (++sentMiB === 64) child.kill('SIGKILL');
  assert.deepEqual(await ended, [null, 'SIGKILL']);
  assert.deepEqual(await listedNames(storage, ''), ['data/before']);
  const minutesAgo = new Date(systemClock.nowMs() - 600_000);
  assert.equal(await storage.removeUnfinished!(minutesAgo), 0, 'a writer may still be at work');
  assert.equal(await storage.removeUnfinished!(new Date(systemClock.nowMs() + 1000)), 1);
  assert.equal(await storage.removeUnfinished!(new Date(systemClock.nowMs() + 1000)), 0);
  assert.equal(Buffer.from(await collect(storage.read('data/before'))).toString(), 'before');
  await storage.close();
});

test('the next backup ends uploads of ours that nobody finished for a day, and nobody else’s', async () => {
  const place = `${location}/unfinished`;
  const repository = await initRepository({ storage: await open(place), password, kdf });
  const Bucket = location.slice(location.lastIndexOf('/') + 1);
  const keys = ['unfinished/data/00/ours', 'unfinished/somebody/else'];
  for (const Key of keys) await server.client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
  const unfinished = async () => {
    const { Uploads = [] } = await server.client.send(
      new ListMultipartUploadsCommand({ Bucket, Prefix: 'unfinished/' }),
    );
    return Uploads.map(({ Key }) => Key);
  };
  await backUp(repository);
  assert.deepEqual(await unfinished(), keys, 'its writer may still be at work');
  const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + 25 * 3_600_000 };
  const later = await openRepository({ storage: repository.storage, password, clock });
  await backUp(later);
  assert.deepEqual(await unfinished(), keys.slice(1));
  await repository.storage.close();
});
