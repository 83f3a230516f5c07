import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { seededRandom } from '#base';
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
const bytes = Buffer.from('content');
const put = 'PUT /bucket/prefix/file';
const done = { headers: { etag: '"e"' } };
const known = { headers: { ...done.headers, 'x-amz-checksum-crc32': 'AAAAAA==' } };
const refused = refusal(412, 'PreconditionFailed');
const absent = { status: 404 };

/** The header that carries the checksum, which must be right. */
function checksumOf({ headers, body }: Asked): string {
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32(body));
  const right: Record<string, string> = {
    'x-amz-checksum-crc32': crc.toString('base64'),
    'content-md5': createHash('md5').update(body).digest('base64'),
  };
  const names = Object.keys(right).filter((name) => headers[name] !== undefined);
  assert.equal(names.length, 1);
  const [name] = names as [string];
  assert.equal(headers[name], right[name]);
  assert.equal(headers['x-amz-content-sha256'], createHash('sha256').update(body).digest('hex'));
  return name;
}

const crc = 'x-amz-checksum-crc32';
const md5 = 'content-md5';
const servers: Record<string, { script: Script; checksums: string[] }> = {
  'knows CRC-32': { script: [known, known], checksums: [crc, crc] },
  'passes over CRC-32': { script: [done, done, done], checksums: [crc, md5] },
  'refuses CRC-32 as unknown': {
    script: [refusal(501, 'NotImplemented'), done, done],
    checksums: [crc, md5, md5],
  },
  'refuses CRC-32 as bad': {
    script: [refusal(400, 'InvalidArgument'), done, done],
    checksums: [crc, md5, md5],
  },
};

for (const [what, { script, checksums }] of Object.entries(servers)) {
  test(`sends the checksum that the server can check: one that ${what}`, async () => {
    const server = await scriptedServer(script);
    const storage = storageAt(server.endpoint);
    await storage.write('file', bytes);
    await storage.write('file', bytes);
    assert.deepEqual(server.asked.map(checksumOf), checksums);
  });
}

test('creates by condition, after the server has shown that it heeds it', async () => {
  const server = await scriptedServer([absent, known, refused, refused]);
  const storage = storageAt(server.endpoint);
  await storage.write('file', bytes, { ifAbsent: true });
  assert(storage.capabilities.conditionalCreate);
  await expectError('storage.exists', storage.write('file', bytes, { ifAbsent: true }));
  expectAsked(server, ['HEAD /bucket/prefix/file', put, put, put]);
  assert(server.asked.slice(1).every(({ headers }) => headers['if-none-match'] === '*'));
});

test('looks before it creates where the server passes over conditions', async () => {
  const found = { headers: { 'content-length': '7', etag: '"e"' } };
  const server = await scriptedServer([absent, known, known, found, absent, known]);
  const storage = storageAt(server.endpoint);
  await storage.write('file', bytes, { ifAbsent: true });
  assert(!storage.capabilities.conditionalCreate);
  await expectError('storage.exists', storage.write('file', bytes, { ifAbsent: true }));
  await storage.write('file', bytes, { ifAbsent: true });
  const head = 'HEAD /bucket/prefix/file';
  expectAsked(server, [head, put, put, head, head, put]);
});

test('looks before it creates where the server refuses conditions', async () => {
  const unknown = refusal(501, 'NotImplemented');
  // The first refusal might mean the checksum.
  const server = await scriptedServer([absent, unknown, unknown, known, absent, known]);
  const storage = storageAt(server.endpoint);
  await storage.write('file', bytes, { ifAbsent: true });
  assert(!storage.capabilities.conditionalCreate);
  await storage.write('file', bytes, { ifAbsent: true });
  const heeds = server.asked.map(({ headers }) => headers['if-none-match'] ?? '');
  assert.deepEqual(heeds, ['', '*', '*', '', '', '']);
});

/** A stream of three parts. */
const large = {
  open: async function* () {
    for (let i = 0; i < 17; i++) yield new Uint8Array(MiB).fill(i);
  },
};
const begun = {
  body: '<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>',
};
const completed = {
  body: '<CompleteMultipartUploadResult><ETag>"x-3"</ETag></CompleteMultipartUploadResult>',
};
const part = ({ body }: Asked) => ({
  headers: { etag: `"${createHash('md5').update(body).digest('hex')}"` },
});
const parts = [part, part, part];
const complete = 'POST /bucket/prefix/file?uploadId=u';

test('sends a long stream in parts, and joins them', async () => {
  const server = await scriptedServer([begun, ...parts, completed]);
  await storageAt(server.endpoint).write('file', large);
  // They come at once, in any order.
  const sizes = server.asked
    .slice(1, 4)
    .map(({ url, body }) => `${/partNumber=\d/.exec(url)}: ${body.length / MiB}`);
  assert.deepEqual(sizes.sort(), ['partNumber=1: 8', 'partNumber=2: 8', 'partNumber=3: 1']);
  for (const sent of server.asked.slice(1, 4)) assert.equal(checksumOf(sent), md5);
  for (const { headers } of server.asked) assert.equal(headers.expect, undefined);
  const list = Buffer.from(server.asked[4]!.body).toString();
  assert.deepEqual(list.match(/<PartNumber>\d/g), ['<PartNumber>1', '<PartNumber>2', '<PartNumber>3']);
});

test('repeats a part that fails, and not the stream', async () => {
  let openings = 0;
  const content = {
    open: () => {
      openings++;
      return large.open();
    },
  };
  const server = await scriptedServer([
    begun,
    'reset',
    refusal(503, 'SlowDown'),
    part,
    part,
    part,
    completed,
  ]);
  await storageAt(server.endpoint).write('file', content);
  assert.equal(openings, 1);
  assert.equal(server.asked.length, 7);
});

test('repeats the end of an upload whose answer is a success that carries an error', async () => {
  const failed = { ...refusal(200, 'InternalError'), status: 200 };
  const server = await scriptedServer([begun, ...parts, failed, completed]);
  await storageAt(server.endpoint).write('file', large);
  assert.equal(server.asked.filter(({ method }) => method === 'POST').length, 3);
});

test('an upload whose last answer was lost is done when the file is what was sent', async () => {
  const etags: string[] = [];
  const remembering = (asked: Asked) => {
    const digest = createHash('md5').update(asked.body).digest();
    etags[Number(/partNumber=(\d)/.exec(asked.url)![1])] = digest.toString('hex');
    return { headers: { etag: `"${digest.toString('hex')}"` } };
  };
  const look = () => {
    const hash = createHash('md5')
      .update(Buffer.from(etags.slice(1).join(''), 'hex'))
      .digest('hex');
    return { headers: { etag: `"${hash}-3"`, 'content-length': String(17 * MiB) } };
  };
  const three = [remembering, remembering, remembering];
  const gone = refusal(404, 'NoSuchUpload');
  const server = await scriptedServer([begun, ...three, 'reset', gone, look]);
  await storageAt(server.endpoint).write('file', large);
  assert.equal(server.asked.length, 7);
  const other = { headers: { etag: '"other-3"', 'content-length': '1' } };
  const ended = { status: 204 };
  // Nothing tells whether ours was ever complete: the whole stream has to be sent again.
  const strange = await scriptedServer([
    begun,
    ...three,
    'reset',
    gone,
    other,
    ended,
    begun,
    ...three,
    completed,
  ]);
  await storageAt(strange.endpoint, { retry: {} }).write('file', large);
  assert.equal(strange.asked.length, 13);
});

test('gives up an upload that fails, and says so to the server', async () => {
  const denied = refusal(403, 'AccessDenied');
  const server = await scriptedServer([begun, denied, denied, denied, { status: 204 }, { status: 204 }]);
  await expectError('storage.access-denied', storageAt(server.endpoint).write('file', large));
  assert(server.asked.some(({ method, url }) => method === 'DELETE' && url.includes('uploadId=u')));
  assert(!server.asked.some(({ url }) => `POST ${url}` === complete));
});

test('reads a stream no further than the server takes it', async () => {
  let readBytes = 0;
  const endless = {
    open: async function* () {
      for (;;) {
        readBytes += MiB;
        yield new Uint8Array(MiB);
      }
    },
  };
  const { promise: isFull, resolve } = Promise.withResolvers<void>();
  let waiting = 0;
  const hang = () => {
    if (++waiting === 3) resolve();
    return new Promise<never>(() => {});
  };
  const server = await scriptedServer([begun, hang, hang, hang, { status: 204 }]);
  const abort = new AbortController();
  const writing = storageAt(server.endpoint).write('file', endless, { signal: abort.signal });
  await isFull;
  await new Promise((done) => setImmediate(done));
  assert(readBytes <= 40 * MiB, `${readBytes} bytes were read ahead`);
  abort.abort(new Error('enough'));
  await assert.rejects(writing, /^Error: enough$/);
  assert.equal(server.asked.at(-1)?.method, 'DELETE');
});

test('marks what it writes: class for large files, encryption, lock but for exempt names', async () => {
  const server = await scriptedServer([known, known, begun, ...parts, completed]);
  const storage = storageAt(server.endpoint, {
    storageClass: 'STANDARD_IA',
    encryption: { kind: 'aws:kms', keyId: 'k' },
    lock: { mode: 'compliance', days: 10, exempt: ['locks/'] },
  });
  await storage.write('locks/1', bytes);
  await storage.write('data/1', seededRandom(1).fill(new Uint8Array(200_000)));
  await storage.write('data/2', large);
  const marks = server.asked.map(({ headers }) => [
    headers['x-amz-storage-class'],
    headers['x-amz-server-side-encryption'],
    headers['x-amz-server-side-encryption-aws-kms-key-id'],
    headers['x-amz-object-lock-mode'],
    headers['x-amz-object-lock-retain-until-date'],
  ]);
  const lock = ['COMPLIANCE', '2026-01-11T00:00:00Z'];
  assert.deepEqual(marks[0], [undefined, 'aws:kms', 'k', undefined, undefined]);
  assert.deepEqual(marks[1], ['STANDARD_IA', 'aws:kms', 'k', ...lock]);
  assert.deepEqual(marks[2], marks[1]);
});
