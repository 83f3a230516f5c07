import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expectError } from '../checks/expect.ts';
import {
  type Asked,
  expectAsked,
  refusal,
  type Script,
  scriptedServer,
  storageAt,
} from './testing/scripted-server.ts';

const MiB = 1024 * 1024;
const source = { address: 'other/a%20b?versionId=v1', sizeBytes: 1100 * MiB, etag: '"mark"' };

function xml(body: string) {
  return { headers: { 'content-type': 'application/xml' }, body: `<?xml version="1.0"?>${body}` };
}

const lookAndBegin: Script = [
  { headers: { 'content-type': 'text/plain', 'x-amz-meta-owner': 'anna' } },
  xml('<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>'),
  xml('<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>'),
];
const part = xml('<CopyPartResult><ETag>"part"</ETag></CopyPartResult>');

test('a large file is copied in parts of equal size, with its facts', async () => {
  const done = xml('<CompleteMultipartUploadResult><ETag>"all-5"</ETag></CompleteMultipartUploadResult>');
  const server = await scriptedServer([...lookAndBegin, part, part, part, part, part, done]);
  await storageAt(server.endpoint).copies!.copy('copy', source);
  expectAsked(server, [
    'HEAD /other/a%20b?versionId=v1',
    'GET /other/a%20b?tagging=&versionId=v1',
    'POST /bucket/prefix/copy?uploads=',
    ...[1, 2, 3, 4, 5].map((number) => `PUT /bucket/prefix/copy?partNumber=${number}&uploadId=u`),
    'POST /bucket/prefix/copy?uploadId=u',
  ]);
  const headersOf = (index: number): Asked['headers'] => server.asked[index]!.headers;
  assert.equal(headersOf(2)['content-type'], 'text/plain');
  assert.equal(headersOf(2)['x-amz-meta-owner'], 'anna');
  assert.equal(headersOf(2)['x-amz-tagging'], 'k=v');
  assert.equal(headersOf(3)['x-amz-copy-source'], source.address);
  assert.equal(headersOf(3)['x-amz-copy-source-if-match'], '"mark"');
  const ranges = [3, 4, 5, 6, 7].map((index) => headersOf(index)['x-amz-copy-source-range']);
  const end = (parts: number) => Math.min(parts * 256, 1100) * MiB - 1;
  assert.deepEqual(
    ranges,
    [1, 2, 3, 4, 5].map((parts) => `bytes=${(parts - 1) * 256 * MiB}-${end(parts)}`),
  );
});

test('a copy in parts that fails is ended at the server', async () => {
  const server = await scriptedServer([...lookAndBegin, part, refusal(403, 'AccessDenied'), { status: 204 }]);
  await expectError('storage.access-denied', storageAt(server.endpoint).copies!.copy('copy', source));
  assert.match(server.asked.at(-1)!.url, /^\/bucket\/prefix\/copy\?.*uploadId=u/);
  assert.equal(server.asked.at(-1)!.method, 'DELETE');
});
