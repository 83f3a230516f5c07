import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect } from '#base';
import { expectError, listedNames } from '../checks/expect.ts';
import {
  type Asked,
  expectAsked,
  refusal,
  type Script,
  scriptedServer,
  storageAt,
} from './testing/scripted-server.ts';

const bytes = Buffer.from('0123456789');
const range = { offset: 2, length: 5 };
const partial = { status: 206, body: '23456', headers: { 'content-range': 'bytes 2-6/10' } };

test('goes on with a read where the connection broke', async () => {
  const rest = ({ headers }: Asked) => {
    const [, from, to] = /bytes=(\d+)-(\d+)/.exec(String(headers.range))!.map(Number) as [
      number,
      number,
      number,
    ];
    return {
      status: 206,
      body: bytes.subarray(from, to + 1),
      headers: { 'content-range': `bytes ${from}-${to}/10` },
    };
  };
  const server = await scriptedServer([{ ...partial, cutAt: 2 }, rest]);
  const read = await collect(storageAt(server.endpoint, { retry: {} }).read('file', range));
  assert.equal(Buffer.from(read).toString(), '23456');
  assert.deepEqual(
    server.asked.map(({ headers }) => headers.range),
    ['bytes=2-6', 'bytes=4-6'],
  );
});

const wrong: Record<string, [Script, Parameters<typeof expectError>[0]]> = {
  'sends the whole file instead of a part': [[{ body: bytes }], 'storage.unsupported'],
  'sends a part that ends early': [
    [{ status: 206, body: '23', headers: { 'content-range': 'bytes 2-3/4' } }],
    'storage.range',
  ],
  'refuses a part behind the end': [[refusal(416, 'InvalidRange')], 'storage.range'],
  'sends another part': [
    [{ status: 206, body: '34567', headers: { 'content-range': 'bytes 3-7/10' } }],
    'storage.unsupported',
  ],
  'answers with a page for people': [
    [{ status: 503, body: '<html>we are busy</html>', headers: { 'content-type': 'text/html' } }],
    'storage.unreachable',
  ],
};

for (const [what, [script, code]] of Object.entries(wrong)) {
  test(`passes on no byte of a server that ${what}`, async () => {
    const server = await scriptedServer(script);
    await expectError(code, collect(storageAt(server.endpoint).read('file', range)));
  });
}

const page = (keys: string[], more = '') => ({
  body: `<ListBucketResult>${more}${keys.map((key) => `<Contents><Key>${key}</Key><Size>1</Size></Contents>`).join('')}</ListBucketResult>`,
});
const truncated = '<IsTruncated>true</IsTruncated>';

test('lists in the old form where the server does not know the new one', async () => {
  const server = await scriptedServer([
    refusal(501, 'NotImplemented'),
    page(['prefix/a', 'prefix/b'], truncated),
    page(['prefix/c']),
  ]);
  assert.deepEqual(await listedNames(storageAt(server.endpoint), ''), ['a', 'b', 'c']);
  const [, first, second] = server.asked.map(({ url }) => url) as [string, string, string];
  assert(!first.includes('list-type') && !first.includes('marker='));
  assert(second.includes('marker=prefix%2Fb'));
});

test('lists in the old form where the server answers the new one without a token', async () => {
  const server = await scriptedServer([page(['prefix/a'], truncated), page(['prefix/b'])]);
  assert.deepEqual(await listedNames(storageAt(server.endpoint), ''), ['a', 'b']);
  assert(server.asked[1]?.url.includes('marker=prefix%2Fa'));
});

test('does not list for ever when a server repeats its page', async () => {
  const server = await scriptedServer([page(['prefix/a'], truncated), page(['prefix/a'], truncated)]);
  await expectError('storage.failed', listedNames(storageAt(server.endpoint), ''));
});

test('pages of objects go on after a key, in the old form where the new one is not known', async () => {
  const server = await scriptedServer([
    page(['prefix/a', 'prefix/b/'], `${truncated}<NextContinuationToken>more</NextContinuationToken>`),
    page(['prefix//c'], truncated),
    page(['prefix/d']),
  ]);
  const { objects } = storageAt(server.endpoint);
  const names: string[][] = [];
  for (let isLast = false; !isLast; ) {
    const next = await objects!.page(names.at(-1)?.at(-1));
    names.push(next.objects.map(({ name }) => name));
    isLast = next.isLast;
  }
  assert.deepEqual(names, [['a', 'b/'], ['/c'], ['d']]);
  const [, second, third] = server.asked.map(({ url }) => url) as [string, string, string];
  assert(second.includes('start-after=prefix%2Fb%2F') && second.includes('list-type=2'), second);
  assert(third.includes('marker=prefix%2F%2Fc') && !third.includes('list-type'), third);
});

test('a page of objects that is the one before again is refused', async () => {
  const server = await scriptedServer([page(['prefix/a'], truncated), page(['prefix/a'], truncated)]);
  const { objects } = storageAt(server.endpoint);
  await objects!.page(undefined);
  await expectError('storage.failed', objects!.page('a'));
});

test('a part of an object is asked for by its mark, and of another content refused', async () => {
  const whole = { status: 206, body: '23456', headers: { 'content-range': 'bytes 2-6/10', etag: '"one"' } };
  const server = await scriptedServer([whole, refusal(412, 'PreconditionFailed')]);
  const { objects } = storageAt(server.endpoint);
  let sizeBytes: number | undefined;
  const onFacts = (facts: { sizeBytes: number }) => {
    sizeBytes = facts.sizeBytes;
  };
  const read = await collect(objects!.read('../file', { range, ifEtag: '"one"', onFacts }));
  assert.deepEqual([Buffer.from(read).toString(), sizeBytes], ['23456', 10]);
  assert.deepEqual(
    [server.asked[0]?.headers['if-match'], server.asked[0]?.url],
    [...['"one"', '/bucket/prefix/../file?x-id=GetObject']],
  );
  await expectError('storage.failed', collect(objects!.read('../file', { range, ifEtag: '"one"' })));
});

test('reads encoded keys, and passes over folders that a console made', async () => {
  const encoded = '<EncodingType>url</EncodingType>';
  const server = await scriptedServer([page(['prefix/a+b%2Bc', 'prefix/folder/', 'prefix/%01'], encoded)]);
  assert.deepEqual(await listedNames(storageAt(server.endpoint), ''), ['\u0001', 'a b+c']);
});

test('removes only uploads that were begun before', async () => {
  const upload = (id: string, at: string) =>
    `<Upload><Key>prefix/${id}</Key><UploadId>${id}</UploadId><Initiated>${at}</Initiated></Upload>`;
  const list = upload('old', '2026-01-01T00:00:00.000Z') + upload('new', '2026-01-02T00:00:00.000Z');
  const server = await scriptedServer([
    { body: `<ListMultipartUploadsResult>${list}</ListMultipartUploadsResult>` },
    { status: 204 },
  ]);
  assert.equal(await storageAt(server.endpoint).removeUnfinished?.(new Date('2026-01-01T12:00:00Z')), 1);
  expectAsked(server, [
    'GET /bucket/?encoding-type=url&prefix=prefix%2F&uploads=',
    'DELETE /bucket/prefix/old?uploadId=old',
  ]);
});
