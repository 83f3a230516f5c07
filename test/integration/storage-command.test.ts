import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ListObjectVersionsCommand } from '@aws-sdk/client-s3';
import { holdfast, jsonLines } from '../command/holdfast.ts';
import { startVersitygw } from '../servers/versitygw.ts';

const server = await startVersitygw();
after(() => server.stop());
const env = {
  AWS_ACCESS_KEY_ID: server.credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
};
const folder = mkdtempSync(join(tmpdir(), 'holdfast-storage-command-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('tells of a folder what works, and leaves it empty', () => {
  const { status, stdout } = holdfast(['storage', 'test', folder]);
  assert.equal(status, 0, stdout);
  assert.match(stdout, /^works {3}write$/m);
  assert.match(stdout, /^absent {2}older versions: /m);
  assert.match(stdout, /can hold a repository$/m);
  assert.deepEqual(readdirSync(folder), []);
});

for (const keeps of [undefined, 'versions', 'locks'] as const) {
  test(`tells of a bucket that keeps ${keeps ?? 'nothing'} what works, and leaves no version`, async () => {
    const bucket = await server.makeBucket(keeps ? { keeps } : {});
    const location = `s3:${server.endpoint}/${bucket}/a/b`;
    const { status, stdout } = holdfast(['storage', 'test', location, '--json'], { env });
    assert.equal(status, 0, stdout);
    const results = jsonLines(stdout);
    const states = Object.fromEntries(results.map(({ name, state }) => [name, state]));
    assert.equal(states['older versions'], keeps ? 'kept' : 'absent');
    assert.equal(states['object lock'], keeps === 'locks' ? 'kept' : 'absent');
    assert.equal(states['lock a file'], keeps === 'locks' ? 'kept' : 'absent');
    const risks = String(results.find(({ name }) => name === 'rights that are not too wide')!.note);
    assert.equal(/DeleteObjectVersion/.test(risks), keeps !== undefined);
    for (const right of [/BypassGovernanceRetention/, /PutBucketObjectLockConfiguration/])
      assert.equal(right.test(risks), keeps === 'locks', 'the root of the server may everything');
    assert.deepEqual([states['create only what is absent'], states.delete], ['kept', 'kept']);
    const left = await server.client.send(new ListObjectVersionsCommand({ Bucket: bucket }));
    assert.deepEqual([left.Versions ?? [], left.DeleteMarkers ?? []], [[], []]);
  });
}

test('says why, and what to do, when a place does not let us in', () => {
  const wrong = { ...env, AWS_SECRET_ACCESS_KEY: 'wrong' };
  const { status, stdout } = holdfast(['storage', 'test', `s3:${server.endpoint}/bucket`], { env: wrong });
  assert.equal(status, 1);
  assert.match(stdout, /^FAILED {2}list: .*SignatureDoesNotMatch/m);
  assert.match(stdout, /hint: Check the access key and its secret/);
  assert.doesNotMatch(stdout, /can hold/);
});
