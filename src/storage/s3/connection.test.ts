import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { expectError, itemsOf } from '../checks/expect.ts';
import { StorageError } from '../errors.ts';
import { temporaryFolder } from '../testing/temporary-folder.ts';
import { type Asked, expectAsked, refusal, scriptedServer, storageAt } from './testing/scripted-server.ts';

const bytes = Buffer.from('content');
const put = 'PUT /bucket/prefix/file';
const known = { headers: { etag: '"e"', 'x-amz-checksum-crc32': 'AAAAAA==' } };

/** Of the credential scope that signs the request. */
function regionOf({ headers }: Asked): string | undefined {
  return /Credential=key\/\d+\/([^/]+)\/s3/.exec(headers.authorization ?? '')?.[1];
}

const elsewhere = {
  'a header': { ...refusal(301, 'PermanentRedirect'), headers: { 'x-amz-bucket-region': 'eu-north-1' } },
  'a malformed signature': refusal(400, 'AuthorizationHeaderMalformed', { Region: 'eu-north-1' }),
  'a wrong signature': { ...refusal(403, 'AccessDenied'), headers: { 'x-amz-bucket-region': 'eu-north-1' } },
};

for (const [what, answer] of Object.entries(elsewhere)) {
  test(`finds the region by ${what}, and keeps to it`, async () => {
    const server = await scriptedServer([answer, known, known]);
    const storage = storageAt(server.endpoint);
    await storage.write('file', bytes);
    await storage.write('file', bytes);
    expectAsked(server, [put, put, put]);
    assert.deepEqual(server.asked.map(regionOf), ['us-east-1', 'eu-north-1', 'eu-north-1']);
  });
}

test('finds the region of a request whose refusal has no body', async () => {
  const moved = { status: 301, headers: { 'x-amz-bucket-region': 'eu-north-1' } };
  const server = await scriptedServer([moved, { headers: { 'content-length': '7', etag: '"e"' } }]);
  const info = await storageAt(server.endpoint).stat('file');
  assert.deepEqual(info, { name: 'file', sizeBytes: 7, etag: '"e"' });
  assert.deepEqual(server.asked.map(regionOf), ['us-east-1', 'eu-north-1']);
});

test('follows to another address of the same domain', async () => {
  const there = await scriptedServer([known]);
  const host = there.endpoint.slice('http://'.length);
  const here = await scriptedServer([
    { ...refusal(307, 'TemporaryRedirect', { Endpoint: host }), headers: { location: there.endpoint } },
  ]);
  await storageAt(here.endpoint).write('file', bytes);
  expectAsked(there, [put]);
});

test('does not take the data to another domain', async () => {
  const there = await scriptedServer([known]);
  const host = `localhost:${there.port}`;
  const here = await scriptedServer([refusal(307, 'TemporaryRedirect', { Endpoint: host })]);
  await expectError('storage.location', storageAt(here.endpoint).write('file', bytes));
  expectAsked(there, []);
});

test('gives up on a server that sends it round in circles', async () => {
  const [a, b] = [
    refusal(400, 'AuthorizationHeaderMalformed', { Region: 'eu-north-1' }),
    refusal(400, 'AuthorizationHeaderMalformed', { Region: 'us-east-1' }),
  ];
  const server = await scriptedServer([a, b, a, b, a, b, a, b, a, b]);
  await expectError('storage.location', storageAt(server.endpoint).write('file', bytes));
  assert(server.asked.length < 10);
});

test('signs with the server’s time when our clock is wrong', async () => {
  const serverTime = new Date('2031-05-06T07:08:09Z');
  const headers = { date: serverTime.toUTCString() };
  const server = await scriptedServer([
    { ...refusal(403, 'RequestTimeTooSkewed'), headers },
    { ...known, headers: { ...known.headers, ...headers } },
  ]);
  await storageAt(server.endpoint).write('file', bytes);
  assert.match(String(server.asked[1]?.headers['x-amz-date']), /^20310506T0708/);
});

const refusals: [
  status: number,
  code: string,
  expected: StorageError['code'],
  retry: StorageError['retry'],
][] = [
  [503, 'SlowDown', 'storage.unreachable', 'soon'],
  [400, 'RequestRateLimitExceeded', 'storage.unreachable', 'soon'],
  [429, 'TooManyRequests', 'storage.unreachable', 'soon'],
  [500, 'InternalError', 'storage.unreachable', 'soon'],
  [502, 'Whatever', 'storage.unreachable', 'soon'],
  [409, 'ConditionalRequestConflict', 'storage.unreachable', 'soon'],
  [400, 'RequestTimeout', 'storage.unreachable', 'soon'],
  [400, 'BadDigest', 'storage.interrupted', 'soon'],
  [403, 'AccessDenied', 'storage.access-denied', 'never'],
  [403, 'SignatureDoesNotMatch', 'storage.access-denied', 'never'],
  [400, 'ExpiredToken', 'storage.access-denied', 'never'],
  [404, 'NoSuchBucket', 'storage.not-found', 'never'],
  [403, 'QuotaExceeded', 'storage.no-space', 'later'],
  [507, 'XMinioStorageFull', 'storage.no-space', 'later'],
  [400, 'KeyTooLongError', 'storage.name', 'never'],
  [403, 'InvalidObjectState', 'storage.failed', 'never'],
  [418, 'Teapot', 'storage.failed', 'never'],
];

for (const [status, code, expected, retry] of refusals) {
  test(`takes ${status} ${code} for ${expected}, to be tried again: ${retry}`, async () => {
    const answer = refusal(status, code, { Message: 'the reason' });
    // A 400 may mean the checksum, so the same is asked once more in another way.
    const server = await scriptedServer([answer, answer]);
    const [outcome] = await Promise.allSettled([storageAt(server.endpoint).write('file', bytes)]);
    assert(outcome.status === 'rejected' && outcome.reason instanceof StorageError);
    const { code: seen, retry: verdict, hint, message, context } = outcome.reason;
    assert.deepEqual([seen, verdict], [expected, retry], message);
    assert(hint && message.includes('the reason') && message.includes(code), message);
    assert.equal(context.s3Code, code);
  });
}

test('tries again when the server asks for fewer requests, and when connections break', async () => {
  const server = await scriptedServer([
    refusal(503, 'SlowDown'),
    'reset',
    known,
    'reset',
    { ...refusal(503, 'SlowDown'), cutAt: 5 },
    { body: bytes },
  ]);
  const storage = storageAt(server.endpoint, { retry: {} });
  await storage.write('file', bytes);
  assert.deepEqual(Buffer.concat(await itemsOf(storage.read('file'))), bytes);
  assert.equal(server.asked.length, 6);
});

test('says that nobody answers', async () => {
  const server = await scriptedServer([]);
  const free = server.port;
  await expectError('storage.unreachable', storageAt(`http://127.0.0.2:${free}`).stat('file'));
});

test('says that there are no credentials', async (t) => {
  const env = {
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_SHARED_CREDENTIALS_FILE: '/none',
    AWS_CONFIG_FILE: '/none',
  };
  const before = { ...process.env };
  Object.assign(process.env, env);
  t.after(() => {
    process.env = before;
  });
  const server = await scriptedServer([]);
  const storage = storageAt(server.endpoint, { hasCredentials: false, profile: 'none' });
  await expectError('storage.access-denied', storage.stat('file'));
  expectAsked(server, []);
});

test('ends a request that is aborted while the server is silent', async () => {
  const abort = new AbortController();
  const server = await scriptedServer([
    () => {
      abort.abort(new Error('enough'));
      return new Promise(() => {});
    },
  ]);
  await assert.rejects(storageAt(server.endpoint).stat('file', { signal: abort.signal }), /^Error: enough$/);
});

test('trusts a certificate only when its authority is given', async () => {
  const folder = await temporaryFolder();
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => join(folder, name)) as [string, string];
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const files = ['-keyout', key, '-out', cert];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...subject, ...files],
    {
      stdio: 'pipe',
    },
  );
  const tls = { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
  const server = await scriptedServer([known], tls);
  const [distrusted] = await Promise.allSettled([storageAt(server.endpoint).write('file', bytes)]);
  assert(distrusted.status === 'rejected' && distrusted.reason instanceof StorageError);
  assert.deepEqual([distrusted.reason.code, distrusted.reason.retry], ['storage.unreachable', 'never']);
  assert.match(distrusted.reason.hint!, /AWS_CA_BUNDLE/);
  await storageAt(server.endpoint, { caFile: cert }).write('file', bytes);
  expectAsked(server, [put]);
  writeFileSync(cert, 'no certificate');
  await expectError('storage.location', storageAt(server.endpoint, { caFile: cert }).write('file', bytes));
  await expectError('storage.location', storageAt(server.endpoint, { caFile: '/none' }).write('file', bytes));
});

test('goes through a proxy, with the bucket in the path or in the host’s name', async () => {
  const server = await scriptedServer([known, known, known]);
  const proxy = { HTTP_PROXY: server.endpoint, NO_PROXY: '127.0.0.1' };
  for (const style of ['path', 'virtual'] as const)
    await storageAt('http://s3.example.test', { proxy, style }).write('file', bytes);
  await storageAt(server.endpoint, { proxy }).write('file', bytes);
  expectAsked(server, [
    'PUT http://s3.example.test/bucket/prefix/file',
    'PUT http://bucket.s3.example.test/prefix/file',
    put,
  ]);
});
