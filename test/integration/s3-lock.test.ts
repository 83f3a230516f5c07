import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  DeleteObjectCommand,
  PutObjectLegalHoldCommand,
  PutObjectRetentionCommand,
} from '@aws-sdk/client-s3';
import { collect, systemClock } from '#base';
import { type FileVersion, openStorage, type S3Options, type Storage, StorageError } from '#storage';
import { expectContent, expectError, itemsOf, listedNames } from '../../src/storage/testing/expect.ts';
import { startVersitygw } from '../servers/versitygw.ts';

const server = await startVersitygw();
after(() => server.stop());
const { credentials } = server;

const dayMs = 24 * 60 * 60 * 1000;
const bytes = Buffer.from('content');
const inDays = (days: number) => new Date(Math.floor(systemClock.nowMs() / 1000) * 1000 + days * dayMs);

interface Place {
  storage: Storage;
  bucket: string;
}

async function newPlace(keeps: 'versions' | 'locks' | undefined, options: S3Options = {}): Promise<Place> {
  const bucket = await server.makeBucket(keeps ? { keeps } : {});
  const s3 = { credentials, ...options };
  const storage = await openStorage(`s3:${server.endpoint}/${bucket}/p`, { s3, retry: { attemptsMax: 1 } });
  return { storage, bucket };
}

async function versionsOf(storage: Storage, prefix: string): Promise<FileVersion[]> {
  return itemsOf(storage.versions!.list(prefix));
}

async function failureOf(work: Promise<unknown>): Promise<StorageError> {
  const [outcome] = await Promise.allSettled([work]);
  assert(outcome.status === 'rejected' && outcome.reason instanceof StorageError);
  return outcome.reason;
}

test('lists, reads and deletes older versions and markers', async () => {
  const { storage, bucket } = await newPlace('versions');
  for (const text of ['one', 'two', 'three']) await storage.write('a', Buffer.from(text));
  await storage.write('b', bytes);
  const versions = await versionsOf(storage, 'a');
  assert.equal(versions.length, 3);
  assert.deepEqual(
    versions.map(({ name, isDeleteMarker }) => [name, isDeleteMarker]),
    Array.from({ length: 3 }, () => ['a', false]),
  );
  const texts = versions.map(({ versionId }) => collect(storage.versions!.read('a', versionId)));
  const read = (await Promise.all(texts)).map((text) => Buffer.from(text).toString());
  assert.deepEqual(read.sort(), ['one', 'three', 'two']);
  const latest = versions.find(({ isLatest }) => isLatest)!;
  const range = { offset: 1, length: 3 };
  const part = await collect(storage.versions!.read('a', latest.versionId, range));
  assert.equal(Buffer.from(part).toString(), 'hre');
  await storage.versions!.delete('a', latest.versionId);
  await storage.versions!.delete('a', latest.versionId);
  await expectContent(storage, 'a', Buffer.from('two'));
  // What somebody else hides by a marker is not there, and comes back when the marker goes.
  await hide(bucket, 'a');
  assert.equal(await storage.stat('a'), undefined);
  await storage.delete('a');
  const marker = (await versionsOf(storage, 'a')).find(({ isDeleteMarker }) => isDeleteMarker)!;
  assert(marker.isLatest);
  await storage.versions!.delete('a', marker.versionId);
  await expectContent(storage, 'a', Buffer.from('two'));
});

test('delete leaves no version behind', async () => {
  const { storage } = await newPlace('versions');
  for (const text of ['one', 'two']) await storage.write('a', Buffer.from(text));
  await storage.write('ab', bytes);
  await storage.delete('a');
  await storage.delete('a');
  assert.deepEqual(
    (await versionsOf(storage, '')).map(({ name }) => name),
    ['ab'],
  );
  assert.deepEqual(await listedNames(storage, ''), ['ab']);
});

for (const mode of ['governance', 'compliance'] as const) {
  test(`${mode}: what is written is locked, but for exempt names`, async () => {
    const lock = { mode, days: 2, exempt: ['locks/'] };
    const { storage } = await newPlace('locks', { lock });
    await storage.write('data/a', bytes);
    await storage.write('locks/a', bytes);
    const until = await storage.retention!.retainedUntil('data/a');
    assert(until && Math.abs(until.getTime() - inDays(2).getTime()) < 600_000, String(until));
    assert.equal(await storage.retention!.retainedUntil('locks/a'), undefined);
    const error = await failureOf(storage.delete('data/a'));
    assert.equal(error.code, 'storage.locked');
    const told = error.context.retainedUntil as Date;
    assert(Math.abs(told.getTime() - until.getTime()) < 1000, 'the error says until when');
    await expectContent(storage, 'data/a', bytes);
    await storage.delete('locks/a');
    assert.deepEqual((await versionsOf(storage, 'locks/')).length, 0);
  });

  test(`${mode}: a lock is made and extended, never shortened`, async () => {
    const { storage, bucket } = await newPlace('locks', { lock: { mode, days: 1, exempt: [''] } });
    const retention = storage.retention!;
    await storage.write('a', bytes);
    assert.equal(await retention.retainedUntil('a'), undefined);
    const dates = [2, 5, 3, 1].map(inDays);
    for (const date of dates) await retention.extend('a', date);
    assert.deepEqual(await retention.retainedUntil('a'), dates[1]);
    const shorter = { Mode: mode.toUpperCase() as 'GOVERNANCE', RetainUntilDate: dates[0] };
    const input = { Bucket: bucket, Key: 'p/a', Retention: shorter };
    await assert.rejects(server.client.send(new PutObjectRetentionCommand(input)));
    await expectError('storage.locked', storage.delete('a'));
  });
}

test('a large file is locked as it arrives', async () => {
  const { storage } = await newPlace('locks', { lock: { mode: 'governance', days: 1 } });
  async function* open() {
    for (let i = 0; i < 10; i++) yield new Uint8Array(1024 * 1024);
  }
  await storage.write('large', { open });
  assert(await storage.retention!.retainedUntil('large'));
  await expectError('storage.locked', storage.delete('large'));
});

test('a locked file may be written over and hidden; the locked version stays', async () => {
  const { storage, bucket } = await newPlace('locks', { lock: { mode: 'compliance', days: 1 } });
  await storage.write('a', bytes);
  const [first] = await versionsOf(storage, 'a');
  await storage.write('a', Buffer.from('other'));
  await hide(bucket, 'a');
  assert.deepEqual(await listedNames(storage, ''), []);
  await expectError('storage.locked', storage.versions!.delete('a', first!.versionId));
  assert.deepEqual(Buffer.from(await collect(storage.versions!.read('a', first!.versionId))), bytes);
});

test('a legal hold is a lock', async () => {
  const { storage, bucket } = await newPlace('locks');
  await storage.write('a', bytes);
  const LegalHold = { Status: 'ON' as const };
  await server.client.send(new PutObjectLegalHoldCommand({ Bucket: bucket, Key: 'p/a', LegalHold }));
  await expectError('storage.locked', storage.delete('a'));
});

test('a bucket without object lock says so', async () => {
  const { storage } = await newPlace(undefined);
  await storage.write('a', bytes);
  await expectError('storage.unsupported', storage.retention!.extend('a', inDays(1)));
  const { storage: locking } = await newPlace(undefined, { lock: { mode: 'governance', days: 1 } });
  await expectError('storage.unsupported', locking.write('a', bytes));
});

/** As somebody with the bucket's key does it. */
async function hide(bucket: string, name: string): Promise<void> {
  await server.client.send(new DeleteObjectCommand({ Bucket: bucket, Key: `p/${name}` }));
}
