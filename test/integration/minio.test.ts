import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  GetBucketLifecycleConfigurationCommand,
  ListMultipartUploadsCommand,
  PutBucketLifecycleConfigurationCommand,
} from '@aws-sdk/client-s3';
import { systemClock } from '#base';
import { checkRepository, initRepository, pruneRepository, saveImmutableRule } from '#repository';
import { filesSource } from '#sources';
import { openStorage } from '#storage';
import { backup } from '#workflows';
import { storageContract } from '../../src/storage/testing/contract.ts';
import { expectError } from '../../src/storage/testing/expect.ts';
import { startMinio } from '../servers/minio.ts';

const server = await startMinio();
const missing = 'NOTHING WAS TESTED AGAINST MINIO: build it once with scripts/node scripts/build-minio.ts';

if (server) {
  after(() => server.stop());
  await testMinio(server);
} else {
  process.stderr.write(`${missing}\n`);
  test(missing, () => assert.equal(server, undefined));
}

async function testMinio({ makeBucket, endpoint, credentials, client }: NonNullable<typeof server>) {
  const s3 = { credentials };
  const bucket = await makeBucket();
  storageContract({
    name: 'S3 at MinIO',
    open: () =>
      openStorage(`s3:${endpoint}/${bucket}/some/prefix`, { s3, retry: { attemptsMax: 2, pauseMs: 1 } }),
  });

  test('with the lifecycle rules of the guide a repository that is locked is whole', async () => {
    const Bucket = await makeBucket({ keeps: 'locks' });
    const Rules = [
      {
        ID: 'old versions',
        Status: 'Enabled' as const,
        Filter: { Prefix: '' },
        NoncurrentVersionExpiration: { NoncurrentDays: 1 },
      },
    ];
    await client.send(
      new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules } }),
    );
    const set = await client.send(new GetBucketLifecycleConfigurationCommand({ Bucket }));
    assert.equal(set.Rules?.[0]?.NoncurrentVersionExpiration?.NoncurrentDays, 1);
    const storage = await openStorage(`s3:${endpoint}/${Bucket}/repo`, { s3 });
    after(() => storage.close());
    const repository = await initRepository({ storage, password: 'x', kdf: { N: 1024, r: 8, p: 1 } });
    await saveImmutableRule(repository, { mode: 'compliance', days: 1 });
    const source = filesSource({ paths: [import.meta.filename] });
    const { state, immutableUntil, snapshot } = await backup({ repository, source });
    assert.equal(state, 'succeeded');
    assert(immutableUntil && immutableUntil.getTime() > systemClock.nowMs());
    await expectError('storage.locked', storage.delete(`snapshots/${snapshot!.id}`));
    await pruneRepository(repository, { graceMs: 0 });
    assert((await checkRepository(repository, { readData: 'all' })).isSound);
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket }));
    assert.deepEqual(Uploads, []);
  });
}
