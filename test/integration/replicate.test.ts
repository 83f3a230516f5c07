import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { DeleteObjectCommand, ListObjectVersionsCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { seededRandom } from '#base';
import { holdfast, jsonLines, makeRepository, password, startHoldfast } from '../command/holdfast.ts';
import { requireProgram } from '../servers/debian.ts';
import { startMoto } from '../servers/moto.ts';
import { Restic } from '../servers/restic.ts';
import type { S3Server } from '../servers/s3-server.ts';
import { startSshd } from '../servers/sshd.ts';
import { startVersitygw } from '../servers/versitygw.ts';

const server = await startVersitygw();
after(() => server.stop());
const moto = await startMoto();
after(() => moto.stop());
const folder = mkdtempSync(join(tmpdir(), 'holdfast-replicate-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const random = seededRandom(72);
const env = loginTo(server);

function loginTo({ credentials }: S3Server, prefix = ''): Record<string, string> {
  return {
    [`${prefix}AWS_ACCESS_KEY_ID`]: credentials.accessKeyId,
    [`${prefix}AWS_SECRET_ACCESS_KEY`]: credentials.secretAccessKey,
  };
}

/** rclone knows our two servers as `v` and `m`. */
function rclone(...args: string[]): string {
  const remotes = [
    ['V', server],
    ['M', moto],
  ] as const;
  const config = remotes.flatMap(([name, { endpoint, credentials }]) => [
    [`RCLONE_CONFIG_${name}_TYPE`, 's3'],
    [`RCLONE_CONFIG_${name}_PROVIDER`, 'Other'],
    [`RCLONE_CONFIG_${name}_ENDPOINT`, endpoint],
    [`RCLONE_CONFIG_${name}_ACCESS_KEY_ID`, credentials.accessKeyId],
    [`RCLONE_CONFIG_${name}_SECRET_ACCESS_KEY`, credentials.secretAccessKey],
  ]);
  // Its S3 has a quarrel with AWS_CA_BUNDLE.
  const { AWS_CA_BUNDLE: _, ...inherited } = process.env;
  const options = { encoding: 'utf8', env: { ...inherited, ...Object.fromEntries(config) } } as const;
  const run = spawnSync(requireProgram('rclone'), ['--config', '/dev/null', ...args], options);
  assert.equal(run.status, 0, `rclone ${args.join(' ')}\n${run.stdout}${run.stderr}`);
  return run.stdout;
}

/** Runs the command, expects it to succeed, and returns its summary. */
function replicate(from: string, to: string, args: string[] = [], more: NodeJS.ProcessEnv = {}) {
  const run = holdfast(['replicate', from, to, '--json', ...args], { env: { ...env, ...more } });
  assert.equal(run.status, 0, run.stdout + run.stderr);
  const summary = jsonLines(run.stdout).at(-1)!;
  assert.deepEqual([summary.message_type, summary.state, run.stderr], ['summary', 'succeeded', '']);
  return summary;
}

const names = ['plain', 'folder/in it', 'folder/ü + % # & = ?', 'folder/empty', 'large'];

async function filledBucket(): Promise<string> {
  const bucket = await server.makeBucket();
  for (const [i, Key] of names.entries()) {
    const sizeBytes = Key === 'large' ? 20_000_000 : Key.endsWith('empty') ? 0 : 1000 * (i + 1);
    const Body = random.fill(new Uint8Array(sizeBytes));
    const metadata = { ContentType: 'text/csv', Metadata: { owner: 'anna' }, Tagging: 'k=v' };
    await server.client.send(new PutObjectCommand({ Bucket: bucket, Key, Body, ...metadata }));
  }
  return bucket;
}

const at = ({ endpoint }: S3Server, bucket: string) => `s3:${endpoint}/${bucket}`;

/** Name, size, type and the user's metadata of all that rclone sees. */
function listed(place: string): unknown {
  const entries = JSON.parse(rclone('lsjson', '-R', '-M', '--files-only', place)) as Record<
    string,
    unknown
  >[];
  return entries.map(({ Path, Size, MimeType, Metadata }) => {
    const { owner } = (Metadata ?? {}) as { owner?: string };
    return { Path, Size, MimeType, owner };
  });
}

test('bucket to bucket at one service: rclone finds both the same, with type and metadata', async () => {
  const [from, to] = [await filledBucket(), await server.makeBucket()];
  const first = replicate(at(server, from), at(server, to));
  assert.deepEqual([first.files_new, first.server_side_copies], [names.length, names.length]);
  rclone('check', '--download', `v:${from}`, `v:${to}`);
  assert.deepEqual(listed(`v:${to}`), listed(`v:${from}`));
  assert.equal(replicate(at(server, from), at(server, to)).files_unmodified, names.length);
});

test('bucket to a bucket elsewhere, with a login for each, is the same and stays so', async () => {
  const [from, to] = [await filledBucket(), await moto.makeBucket()];
  const logins = { ...loginTo(moto), ...loginTo(server, 'HOLDFAST_FROM_') };
  const run = (...args: string[]) => replicate(at(server, from), at(moto, to), args, logins);
  const { files_new, server_side_copies, bytes_copied } = run('--verify');
  assert.deepEqual([files_new, server_side_copies], [names.length, 0]);
  rclone('check', '--download', `v:${from}`, `m:${to}`);
  assert.deepEqual(listed(`m:${to}`), listed(`v:${from}`));
  assert.equal(bytes_copied, 20_000_000 + 6000);
  assert.equal(run().files_unmodified, names.length);
  assert.equal(run('--checksum').files_unmodified, names.length);
  const changed = { Bucket: from, Key: 'plain', Body: 'changed' };
  await server.client.send(new PutObjectCommand(changed));
  assert.equal(run().files_changed, 1);
  rclone('check', '--download', `v:${from}`, `m:${to}`);
});

test('bucket to folder and back: what is gone goes to the trash, no more than is allowed', async () => {
  const [from, back] = [await filledBucket(), await server.makeBucket()];
  const local = join(folder, 'local');
  replicate(at(server, from), local);
  rclone('check', '--download', `v:${from}`, local);
  assert.equal(replicate(at(server, from), local).files_unmodified, names.length);
  replicate(local, at(server, back));
  rclone('check', '--download', `v:${from}`, `v:${back}`);
  await server.client.send(new DeleteObjectCommand({ Bucket: from, Key: 'plain' }));
  const refused = holdfast(['replicate', at(server, from), local, '--delete'], { env });
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /1 of 5 files .* would be deleted, .*\n {2}hint: .*--max-delete 1/);
  const allowed = ['--delete', '--max-delete', '20%'];
  const planned = holdfast(['replicate', at(server, from), local, ...allowed, '-n'], { env });
  assert.match(planned.stdout, /^would delete plain \(1000 B\)$/m);
  assert.equal(replicate(at(server, from), local, allowed).files_deleted, 1);
  rclone('check', '--download', '--exclude', '/.holdfast-trash/**', `v:${from}`, local);
  const [time] = readdirSync(join(local, '.holdfast-trash'));
  assert.equal(readFileSync(join(local, '.holdfast-trash', time!, 'plain')).length, 1000);
});

test('a folder to a server with SSH, and patterns', { concurrency: false }, async () => {
  const sshd = await startSshd();
  try {
    const source = join(folder, 'to ssh');
    mkdirSync(join(source, 'sub'), { recursive: true });
    writeFileSync(join(source, 'one.txt'), 'one');
    writeFileSync(join(source, 'sub/two.log'), 'two');
    writeFileSync(join(source, 'sub/three.txt'), random.fill(new Uint8Array(3_000_000)));
    const login = { HOLDFAST_SFTP_KEY_FILE: sshd.keyFile, HOLDFAST_SFTP_KNOWN_HOSTS: sshd.knownHostsFile };
    const place = sshd.location('/data/replica');
    replicate(source, place, ['--exclude', '*.log'], login);
    rclone('check', '--download', '--exclude', '*.log', source, join(sshd.data, 'replica'));
    assert.deepEqual(readdirSync(join(sshd.data, 'replica/sub')), ['three.txt']);
  } finally {
    await sshd.stop();
  }
});

/** S3 tells whole seconds. */
const nextSecond = () => delay(1100);

test('versions are replayed from bucket to bucket, and only the new ones later', async () => {
  const [from, to] = [
    await server.makeBucket({ keeps: 'versions' }),
    await server.makeBucket({ keeps: 'versions' }),
  ];
  const put = (Body: string) => server.client.send(new PutObjectCommand({ Bucket: from, Key: 'a', Body }));
  const sizesAt = async (Bucket: string) => {
    const { Versions = [], DeleteMarkers = [] } = await server.client.send(
      new ListObjectVersionsCommand({ Bucket }),
    );
    const all = [
      ...Versions.map(({ Size, VersionId }) => ({ Size, VersionId })),
      ...DeleteMarkers.map(({ VersionId }) => ({ Size: 'marker', VersionId })),
    ];
    // The server's ids are in the order of time.
    return all.sort((a, b) => (a.VersionId! < b.VersionId! ? -1 : 1)).map(({ Size }) => Size);
  };
  await put('1');
  await put('22');
  await nextSecond();
  await server.client.send(new DeleteObjectCommand({ Bucket: from, Key: 'a' }));
  await nextSecond();
  await put('4444');
  assert.equal(replicate(at(server, from), at(server, to), ['--versions']).versions_replayed, 4);
  assert.deepEqual(await sizesAt(to), [1, 2, 'marker', 4]);
  await nextSecond();
  await put('55555');
  assert.equal(replicate(at(server, from), at(server, to), ['--versions']).versions_replayed, 1);
  assert.deepEqual(await sizesAt(to), await sizesAt(from));
  const plain = await server.makeBucket();
  const refused = holdfast(['replicate', at(server, from), at(server, plain), '--versions'], { env });
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /keeps no older versions/);
});

test('a replica of a repository is one: stock restic checks it after each run and after a kill', async () => {
  const bucket = await server.makeBucket();
  const local = join(folder, 'repository');
  const remote = `${at(server, bucket)}/replica`;
  const source = join(folder, 'source');
  mkdirSync(source);
  await makeRepository(local);
  const save = (): void => {
    for (const name of ['a', 'b', 'c'])
      writeFileSync(join(source, name), random.fill(new Uint8Array(6_000_000)));
    const { status, stderr } = holdfast(['backup', source, '-r', local]);
    assert.equal(status, 0, stderr);
  };
  const judge = (snapshots: number): void => {
    const restic = new Restic({ repository: remote, password, folder, env });
    restic.run('check', '--read-data', '--no-lock');
    assert.equal((JSON.parse(restic.run('snapshots', '--json', '--no-lock')) as unknown[]).length, snapshots);
  };
  save();
  assert.equal(replicate(local, remote).is_repository, true);
  judge(1);
  save();
  save();
  const killed = startHoldfast(['replicate', local, remote, '--limit-upload', '5M'], { env });
  const ended = new Promise((resolve) => killed.on('exit', resolve));
  setTimeout(() => killed.kill('SIGKILL'), 1500);
  await ended;
  assert.equal(killed.signalCode, 'SIGKILL');
  judge(1);
  replicate(local, remote);
  judge(3);
  const [first] = readdirSync(join(local, 'snapshots'));
  unlinkSync(join(local, 'snapshots', first!));
  const pruned = holdfast(['prune', '--grace', '0s', '-r', local]);
  assert.equal(pruned.status, 0, pruned.stderr);
  const summary = replicate(local, remote, ['--delete', '--max-delete', '90%', '--no-trash']);
  assert((summary.files_deleted as number) >= 3);
  judge(2);
  rclone('check', '--download', '--exclude', '/locks/**', local, `v:${bucket}/replica`);
});

test('a file that cannot be copied is told, and the exit code says that not all was done', async () => {
  const source = join(folder, 'clash');
  const bucket = await server.makeBucket();
  mkdirSync(source);
  for (const Key of ['name', 'other']) {
    await server.client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: 'text' }));
  }
  const target = join(folder, 'clash target');
  mkdirSync(join(target, 'name'), { recursive: true });
  const { status, stdout, stderr } = holdfast(['replicate', at(server, bucket), target], { env });
  assert.equal(status, 3, stderr);
  assert.match(stderr, /^error: name: /m);
  assert.match(stdout, /^1 file copied \(4 B\), 0 unchanged, 1 problem$/m);
});
