import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import {
  GetObjectCommand,
  GetObjectTaggingCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type PutObjectCommandInput,
} from '@aws-sdk/client-s3';
import { jsonLines, makeRepository, password, program } from '../command/holdfast.ts';
import { startMoto } from '../servers/moto.ts';
import { Restic } from '../servers/restic.ts';
import type { S3Server } from '../servers/s3-server.ts';
import { startVersitygw } from '../servers/versitygw.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-bucket-'));
after(() => rmSync(folder, { recursive: true, force: true }));
/** Takes every key, as AWS does. */
const moto = await startMoto();
after(() => moto.stop());
/** Keeps objects as files, so that a key must be a path. */
const versitygw = await startVersitygw();
after(() => versitygw.stop());

/** Passes requests on and writes them down: `GET /bucket/key`. */
async function watch(server: S3Server): Promise<{ endpoint: string; seen: string[]; proxy: Server }> {
  const seen: string[] = [];
  const to = new URL(server.endpoint);
  const proxy = createServer((asked, answer) => {
    seen.push(`${asked.method} ${asked.url}`);
    const { method, headers, url } = asked;
    const onward = request({ host: to.hostname, port: to.port, method, headers, path: url }, (answered) => {
      answer.writeHead(answered.statusCode!, answered.headers);
      answered.pipe(answer);
    });
    asked.pipe(onward);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  after(() => proxy.close().closeAllConnections());
  return { endpoint: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, seen, proxy };
}

/** Runs the real command, while this process can answer as a proxy. */
async function holdfast(server: S3Server, ...args: string[]) {
  return holdfastAs({ login: server.credentials }, ...args);
}

type Login = S3Server['credentials'];

/** @param from, to the login of the source, of the target, where it has its own */
async function holdfastAs(
  { login, from, to }: { login: Login; from?: Login; to?: Login },
  ...args: string[]
) {
  const env = {
    PATH: process.env.PATH,
    HOME: folder,
    HOLDFAST_PASSWORD: password,
    AWS_ACCESS_KEY_ID: login.accessKeyId,
    AWS_SECRET_ACCESS_KEY: login.secretAccessKey,
    ...(from && {
      HOLDFAST_FROM_AWS_ACCESS_KEY_ID: from.accessKeyId,
      HOLDFAST_FROM_AWS_SECRET_ACCESS_KEY: from.secretAccessKey,
    }),
    ...(to && {
      HOLDFAST_TO_AWS_ACCESS_KEY_ID: to.accessKeyId,
      HOLDFAST_TO_AWS_SECRET_ACCESS_KEY: to.secretAccessKey,
    }),
  };
  const run = promisify(execFile)(program, args, { env, maxBuffer: 64 * 1024 * 1024 });
  return run.then(
    ({ stdout, stderr }) => ({ status: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({
      status: code as number,
      stdout: String(stdout),
      stderr: String(stderr),
    }),
  );
}

const summaryOf = ({ stdout }: { stdout: string }) =>
  jsonLines(stdout).find(({ message_type }) => message_type === 'summary')!;

type Put = Omit<PutObjectCommandInput, 'Bucket'> & { Key: string };

async function put(server: S3Server, Bucket: string, objects: readonly Put[]): Promise<void> {
  for (const object of objects) await server.client.send(new PutObjectCommand({ Bucket, ...object }));
}

/** Everything in a bucket, by the SDK alone. */
async function describeBucket({ client }: S3Server, Bucket: string) {
  const described: Record<string, unknown> = {};
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket, EncodingType: 'url' }));
  for (const { Key: encoded } of Contents) {
    const Key = decodeURIComponent(encoded!.replaceAll('+', ' '));
    const got = await client.send(new GetObjectCommand({ Bucket, Key }));
    const { TagSet = [] } = await client.send(new GetObjectTaggingCommand({ Bucket, Key }));
    const { ContentType, CacheControl, ContentLanguage, ContentDisposition, ContentEncoding } = got;
    const { Metadata, ETag, ExpiresString, WebsiteRedirectLocation, StorageClass } = got;
    described[Key] = {
      ...{ ContentType, CacheControl, ContentLanguage, ContentDisposition, ContentEncoding, Metadata, ETag },
      ...{ ExpiresString, WebsiteRedirectLocation, StorageClass },
      body: Buffer.from(await got.Body!.transformToByteArray()).toString('base64'),
      tags: TagSet.map(({ Key, Value }) => `${Key}=${Value}`).sort(),
    };
  }
  return described;
}

const nasty = [
  ...['a', 'a/b', 'a/', 'a//b', 'a-b', 'a.txt', 'a b', 'a0', '/lead', '//', '//x', '..', '../up', '.', './x'],
  ...[
    'x/../y',
    '%41',
    '100%',
    'tab\tname',
    'ctl\x01x',
    'del\x7f',
    'ключ/ü',
    '😀',
    '\uffee',
    'trail/',
    'p+q&=?#',
  ],
  ...['é'.repeat(512), `long/${'n'.repeat(600)}`, 'back\\slash'],
];

test('a bucket of nasty keys comes back in another, is read once, and restic restores its files', async () => {
  const bucket = await moto.makeBucket();
  const { endpoint, seen } = await watch(moto);
  await put(moto, bucket, [
    ...nasty.map((Key) => ({ Key, Body: `content of ${Key}` })),
    {
      Key: 'everything',
      Body: 'all that S3 keeps',
      ContentType: 'text/x-all',
      CacheControl: 'max-age=60',
      ContentLanguage: 'de',
      ContentDisposition: 'attachment; filename="a b.txt"',
      ContentEncoding: 'identity',
      Expires: new Date('2099-10-21T07:28:00Z'),
      Metadata: { color: 'red', 'two-words': 'a  b' },
      StorageClass: 'STANDARD_IA',
      Tagging: 'team=shop%20floor&cost%3D1=%C3%BC',
    },
  ]);
  const count = nasty.length + 1;
  const repository = join(folder, 'nasty');
  await makeRepository(repository);
  const backup = () => holdfast(moto, 'backup', '-r', repository, `s3:${endpoint}/${bucket}`, '--json');
  const first = await backup();
  assert.equal(first.status, 0, first.stderr);
  assert.equal(summaryOf(first).files_new, count);
  const objectsAsked = () => seen.filter((line) => !line.includes('list-type='));
  assert.equal(objectsAsked().length, count + 1, 'one GET for each, and one for tags');

  seen.length = 0;
  const second = await backup();
  assert.deepEqual(objectsAsked(), []);
  assert.deepEqual([second.status, summaryOf(second).files_unmodified], [0, count]);

  const other = await moto.makeBucket();
  const target = `s3:${moto.endpoint}/${other}`;
  const restored = await holdfast(moto, 'restore', `latest:/${bucket}`, '-r', repository, '--target', target);
  assert.equal(restored.status, 0, restored.stderr);
  assert.deepEqual(await describeBucket(moto, other), await describeBucket(moto, bucket));

  const restic = new Restic({ repository, password, folder });
  restic.run('check', '--read-data');
  restic.run('restore', 'latest', '--target', join(folder, 'by-restic'));
  const at = (...names: string[]) => readFileSync(join(folder, 'by-restic', bucket, ...names), 'utf8');
  assert.equal(at('a%='), 'content of a');
  assert.equal(at('a', '%', 'b'), 'content of a//b');
  assert.equal(at('%2E%2E', 'up'), 'content of ../up');
  assert.equal(at('ctl%01x'), 'content of ctl\x01x');
  const long = 'é'.repeat(120);
  assert.equal(at(...Array(4).fill(`${long}%+`), 'é'.repeat(32)), `content of ${'é'.repeat(512)}`);
});

test('only what changed is read again, and rclone finds the restored bucket equal', async () => {
  const bucket = await versitygw.makeBucket({ keeps: 'versions' });
  const { endpoint, seen } = await watch(versitygw);
  const large = Buffer.alloc(20_000_000, 'large content ');
  await put(versitygw, bucket, [
    ...['p/a-b', 'p/a/x', 'p/a.txt', 'p/a/y/z', 'p/a0', 'other'].map((Key) => ({ Key, Body: Key })),
    { Key: 'p/large', Body: large, Metadata: { kind: 'large' }, Tagging: 'size=large' },
  ]);
  const repository = join(folder, 'changes');
  await makeRepository(repository);
  const backup = () =>
    holdfast(versitygw, 'backup', '-r', repository, `s3:${endpoint}/${bucket}/p`, '--json');
  assert.equal((await backup()).status, 0);
  await put(versitygw, bucket, [{ Key: 'p/a/x', Body: 'P/A/X' }]);
  seen.length = 0;
  const { status, stdout } = await backup();
  const { files_changed, files_unmodified } = summaryOf({ stdout });
  assert.deepEqual([status, files_changed, files_unmodified], [0, 1, 5]);
  const read = seen.filter((line) => !line.includes('list-type='));
  assert.deepEqual(read, [`GET /${bucket}/p/a/x?x-id=GetObject`]);

  const other = await versitygw.makeBucket();
  const restoreArgs = ['-r', repository, '--target', `s3:${versitygw.endpoint}/${other}/p`, '--json'];
  const dry = await holdfast(versitygw, 'restore', `latest:/${bucket}/p`, ...restoreArgs, '--dry-run');
  assert.deepEqual([dry.status, summaryOf(dry).created], [0, 6]);
  const restored = await holdfast(versitygw, 'restore', `latest:/${bucket}/p`, ...restoreArgs, '--verify');
  const { files_restored, files_verified } = summaryOf(restored);
  assert.deepEqual([restored.status, files_restored, files_verified], [0, 6, 6], restored.stderr);
  // Its own environment: a bundle of certificates of ours would be too much for it.
  const env = {
    PATH: process.env.PATH,
    RCLONE_CONFIG: join(folder, 'rclone.conf'),
    RCLONE_CONFIG_GW_TYPE: 's3',
    RCLONE_CONFIG_GW_PROVIDER: 'Other',
    RCLONE_CONFIG_GW_ENDPOINT: versitygw.endpoint,
    RCLONE_CONFIG_GW_ACCESS_KEY_ID: versitygw.credentials.accessKeyId,
    RCLONE_CONFIG_GW_SECRET_ACCESS_KEY: versitygw.credentials.secretAccessKey,
  };
  execFileSync('rclone', ['check', '--download', `gw:${bucket}/p`, `gw:${other}/p`], { env, stdio: 'pipe' });
  const { 'p/large': restoredLarge } = (await describeBucket(versitygw, other)) as Record<string, object>;
  assert.deepEqual(
    { ...restoredLarge, body: undefined, ETag: undefined },
    { ...((await describeBucket(versitygw, bucket))['p/large'] as object), body: undefined, ETag: undefined },
  );
});

test('the bucket may need another login than the repository', async () => {
  const bucket = await versitygw.makeBucket();
  await put(versitygw, bucket, [{ Key: 'a', Body: 'content' }]);
  const repository = join(folder, 'login');
  await makeRepository(repository);
  const login = { accessKeyId: 'nobody', secretAccessKey: 'unknown' };
  const args = ['backup', '-r', repository, `s3:${versitygw.endpoint}/${bucket}`];
  const refused = await holdfastAs({ login }, ...args);
  assert.equal(refused.status, 1, refused.stderr);
  const { status, stderr } = await holdfastAs({ login, from: versitygw.credentials }, ...args);
  const target = `s3:${versitygw.endpoint}/${await versitygw.makeBucket()}/again`;
  const restore = [
    'restore',
    'latest',
    ...args.slice(args.indexOf('-r'), args.indexOf('-r') + 2),
    '--target',
    target,
  ];
  assert.notEqual((await holdfastAs({ login }, ...restore)).status, 0);
  const restored = await holdfastAs({ login, to: versitygw.credentials }, ...restore);
  assert.equal(restored.status, 0, restored.stderr);
  assert.equal(status, 0, stderr);
});

test('a bucket that is not there, or is empty, and what a bucket does not know are refused', async () => {
  const repository = join(folder, 'refused');
  await makeRepository(repository);
  const bucket = await versitygw.makeBucket();
  const run = (...args: string[]) => holdfast(versitygw, 'backup', '-r', repository, ...args);
  const empty = await run(`s3:${versitygw.endpoint}/${bucket}`);
  assert.deepEqual([empty.status, /there is no object in s3:/.test(empty.stderr)], [1, true], empty.stderr);
  const absent = await run(`s3:${versitygw.endpoint}/no-such-bucket`);
  assert.equal(absent.status, 1, absent.stderr);
  const withFiles = await run(`s3:${versitygw.endpoint}/${bucket}`, '/etc');
  assert.match(withFiles.stderr, /a bucket is backed up alone/);
  const excluding = await run(`s3:${versitygw.endpoint}/${bucket}`, '--exclude', '*.tmp', '--gitignore');
  assert.match(excluding.stderr, /a bucket knows no --exclude, --gitignore/);
  assert.deepEqual([withFiles.status, excluding.status], [2, 2]);
});
