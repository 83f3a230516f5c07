import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { openStorage } from '#storage';
import { expectContent, expectError, itemsOf, listedNames } from '../../src/storage/testing/expect.ts';
import { startMoto } from '../servers/moto.ts';
import type { S3Server } from '../servers/s3-server.ts';
import { startVersitygw } from '../servers/versitygw.ts';

const versitygw = await startVersitygw();
after(() => versitygw.stop());
const moto = await startMoto();
after(() => moto.stop());

const metadata = {
  contentType: 'text/csv',
  cacheControl: 'no-store',
  contentDisposition: 'inline',
  contentEncoding: 'identity',
  contentLanguage: 'de',
  user: { owner: 'anna' },
};
const tags = { 'cost centre': 'a+b=c', empty: '' };
const oddName = 'a folder/+ü%?#&=.txt';
const text = Buffer.from('some text');

function openAt(server: S3Server, bucket: string) {
  const location = `s3:${server.endpoint}/${bucket}/some/prefix`;
  const options = { s3: { credentials: server.credentials }, retry: { attemptsMax: 2, pauseMs: 1 } };
  return openStorage(location, options);
}

for (const [kind, server] of [
  ['versitygw', versitygw],
  ['moto', moto],
] as const) {
  describe(kind, () => {
    test('copies from bucket to bucket with everything that is beside the bytes', async () => {
      const from = await openAt(server, await server.makeBucket());
      const to = await openAt(server, await server.makeBucket());
      assert.equal(from.copies?.service, to.copies?.service);
      await from.objects!.write(oddName, text, { ...metadata, tags });
      const { etag, sizeBytes } = (await from.stat(oddName))!;
      const source = { address: from.copies!.addressOf(oddName), sizeBytes, etag };
      await to.copies!.copy('copy', source);
      await expectContent(to, 'copy', text);
      const { storageClass: _, ...kept } = (await to.objects!.stat('copy'))!.metadata;
      assert.deepEqual(kept, metadata);
      assert.deepEqual(await to.objects!.tags('copy'), tags);
      await from.delete(oddName);
      const absent = { address: source.address, sizeBytes };
      await expectError('storage.not-found', to.copies!.copy('again', absent));
      assert.deepEqual(await listedNames(to, ''), ['copy']);
      await from.close();
      await to.close();
    });
  });
}

test('does not copy a content that is another one by now', async () => {
  const storage = await openAt(versitygw, await versitygw.makeBucket());
  await storage.write('file', text);
  const { etag, sizeBytes } = (await storage.stat('file'))!;
  await storage.write('file', Buffer.from('else text'));
  const source = { address: storage.copies!.addressOf('file'), sizeBytes, etag };
  await expectError('storage.exists', storage.copies!.copy('copy', source));
  assert.deepEqual(await listedNames(storage, ''), ['file']);
  await storage.close();
});

test('copies an older version, and hides a file without losing one', async () => {
  const bucket = await versitygw.makeBucket({ keeps: 'versions' });
  const storage = await openAt(versitygw, bucket);
  const put = (Body: string) =>
    versitygw.client.send(new PutObjectCommand({ Bucket: bucket, Key: 'some/prefix/file', Body }));
  const { VersionId: first } = await put('first');
  await put('second');
  assert.equal(await storage.versions!.areKept(), true);
  assert.equal((await storage.objects!.stat('file', { versionId: first }))?.sizeBytes, 5);
  await storage.copies!.copy('old', { address: storage.copies!.addressOf('file', first), sizeBytes: 5 });
  await expectContent(storage, 'old', Buffer.from('first'));
  await storage.retention!.hide('file');
  assert.equal(await storage.stat('file'), undefined);
  const kept = (await itemsOf(storage.versions!.list('file'))).map(({ isDeleteMarker }) => isDeleteMarker);
  assert.deepEqual(kept.sort(), [false, false, true]);
  await storage.close();
});
