import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  DeleteObjectCommand,
  ListObjectVersionsCommand,
  PutObjectCommand,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { systemClock } from '#base';
import { checkRepository, initRepository, openRepository } from '#repository';
import { filesSource } from '#sources';
import { openStorage } from '#storage';
import { backup, restore } from '#workflows';
import { holdfast, password } from '../command/holdfast.ts';
import { startVersitygw } from '../servers/versitygw.ts';
import { describeTree } from '../trees/describe-tree.ts';
import { makeNastyTree } from '../trees/nasty-tree.ts';

const server = await startVersitygw();
after(() => server.stop());
const { credentials } = server;
const folder = mkdtempSync(join(tmpdir(), 'holdfast-attack-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const tree = join(folder, 'tree');
let bucket: string;
let location: string;
/** After the backup and before the attack. */
let time: Date;

before(async () => {
  makeNastyTree(tree);
  bucket = await server.makeBucket({ keeps: 'locks' });
  location = `s3:${server.endpoint}/${bucket}/repo`;
  const lock = { mode: 'compliance', days: 1, exempt: ['locks/'] } as const;
  const storage = await openStorage(location, { s3: { credentials, lock } });
  const repository = await initRepository({ storage, password, kdf: { N: 1024, r: 8, p: 1 } });
  const { state } = await backup({ repository, source: filesSource({ paths: [tree] }) });
  assert.equal(state, 'succeeded');
  await repository.close();
  await storage.close();
  // The bucket's times are whole seconds.
  await systemClock.sleep(1100);
  time = new Date(systemClock.nowMs());
  await systemClock.sleep(1100);
  await attack();
});

/** Somebody with the bucket's key writes over everything, hides everything, and deletes every version that goes. */
async function attack(): Promise<void> {
  const { Versions: versions = [] } = await server.client.send(
    new ListObjectVersionsCommand({ Bucket: bucket }),
  );
  assert(versions.length > 5);
  let refused = 0;
  for (const { Key, VersionId } of versions) {
    await server.client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: 'pay us' }));
    await server.client.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
    const [outcome] = await Promise.allSettled([
      server.client.send(new DeleteObjectCommand({ Bucket: bucket, Key, VersionId })),
    ]);
    if (outcome.status === 'fulfilled') continue;
    assert(outcome.reason instanceof S3ServiceException && outcome.reason.name === 'AccessDenied');
    refused++;
  }
  assert.equal(refused, versions.length, 'everything but a lock was locked as it was written');
}

test('after an attack nothing is left to be seen', async () => {
  const storage = await openStorage(location, { s3: { credentials } });
  await assert.rejects(openRepository({ storage, password }), { code: 'repository.absent' });
  await storage.close();
});

test('the repository as it was is sound, and its restore is exact', async () => {
  const storage = await openStorage(location, { s3: { credentials }, asOf: time });
  const repository = await openRepository({ storage, password, withoutLock: true });
  const report = await checkRepository(repository, { readData: 'all' });
  assert.deepEqual(report.findings, []);
  assert(report.packs > 0 && report.packsRead === report.packs);
  const target = join(folder, 'restored');
  const snapshot = await repository.findSnapshot('latest');
  const { state, problems } = await restore({ repository, snapshot, target });
  assert.deepEqual([state, problems], ['succeeded', []]);
  assert.deepEqual(describeTree(join(target, tree)), describeTree(tree));
  await repository.close();
  await storage.close();
});

test('by command: check tells what was done, and restore brings all back', () => {
  const env = {
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  };
  const past = ['-r', location, '--as-of', time.toISOString().replace(/\.\d+/, '')];
  const checked = holdfast(['check', ...past], { env });
  assert.equal(checked.status, 0, checked.stderr);
  assert.match(checked.stderr, /^warning: \d+ files were hidden since /m);
  const target = join(folder, 'by-command');
  const restored = holdfast(['restore', 'latest', '--target', target, ...past], { env });
  assert.equal(restored.status, 0, restored.stderr);
  assert.deepEqual(describeTree(join(target, tree)), describeTree(tree));
  const refused = holdfast(['backup', tree, ...past], { env });
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /can only be read/);
});
