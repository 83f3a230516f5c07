import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { BSON, type Document, MongoClient, type Timestamp } from 'mongodb';
import { holdfast, jsonLines, makeRepository, password, startHoldfast } from '../command/holdfast.ts';
import { type ReplicaSet, startReplicaSet } from '../servers/replica-set.ts';
import { Restic } from '../servers/restic.ts';

const database = 'holdfast_oplog';
let folder: string;
let repository: string;
let server: ReplicaSet;
let client: MongoClient;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-mongodb-oplog-'));
  repository = join(folder, 'repository');
  await makeRepository(repository);
  server = await startReplicaSet();
  client = await MongoClient.connect(server.url);
  await dropOurs();
  await orders().insertMany([
    { _id: 1, a: 1 },
    { _id: 2, a: 2 },
    { _id: 3, a: 3 },
  ] as Document[]);
});
after(async () => {
  await dropOurs();
  await client?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function dropOurs(): Promise<void> {
  for (const name of [database, `${database}_1`, `${database}_2`, `${database}_3`])
    await client?.db(name).dropDatabase();
}

const orders = () => client.db(database).collection('orders');
const only = ['--ns-include', `${database}.*`];

function save(...args: string[]): Record<string, unknown> {
  const { status, stdout, stderr } = holdfast([
    'backup',
    '-r',
    repository,
    server.url,
    ...only,
    '--name',
    'live',
    '--json',
    ...args,
  ]);
  assert.equal(status, 0, stdout + stderr);
  return jsonLines(stdout).at(-1)!;
}

/** The place of the newest entry, by the driver alone. */
async function optime(): Promise<string> {
  const { cursor } = await client
    .db('local')
    .command({ find: 'oplog.rs', sort: { $natural: -1 }, limit: 1, singleBatch: true });
  const time = cursor.firstBatch[0].ts as Timestamp;
  return `${time.t}:${time.i}`;
}

async function restored(to: string, ...args: string[]): Promise<Document[]> {
  const names = ['--ns-from', `${database}.*`, '--ns-to', `${to}.*`, ...only];
  const { status, stdout, stderr } = holdfast([
    'restore',
    'latest',
    '-r',
    repository,
    '--name',
    'live',
    '--target',
    server.url,
    ...names,
    ...args,
  ]);
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /^restored, replayed to .*: the backup matched before, every entry was replayed$/m);
  return client
    .db(to)
    .collection('orders')
    .find({}, { sort: { _id: 1 } })
    .toArray();
}

test('slices bring a deployment back as it was after any entry', async () => {
  const first = save('--incremental');
  assert.ok(first.full_snapshot_id);
  await orders().insertOne({ _id: 4, a: 4 } as Document);
  await orders().replaceOne({ _id: 1 as never }, { b: 'replaced' });
  if (server.isMongod)
    await orders().updateOne({ _id: 3 as never }, { $set: { 'c.d': 1 }, $unset: { a: '' } });
  const then = await optime();
  const thenHeld = await orders()
    .find({}, { sort: { _id: 1 } })
    .toArray();
  await orders().deleteOne({ _id: 2 as never });
  const next = save('--incremental');
  assert.deepEqual([next.state, next.slices], ['succeeded', 1]);
  await orders().insertOne({ _id: 5 } as Document);
  assert.equal(save('--incremental').slices, 1);
  assert.deepEqual(await restored(`${database}_1`, '--until', then), thenHeld);
  assert.deepEqual(
    await restored(`${database}_2`),
    await orders()
      .find({}, { sort: { _id: 1 } })
      .toArray(),
  );
});

test('a slice is what mongodump would have: entries back to back, read by stock restic', async () => {
  const target = mkdtempSync(join(folder, 'restored-'));
  new Restic({ repository, password }).run('restore', 'latest', '--target', target);
  const [top] = readdirSync(target);
  assert.deepEqual(readdirSync(join(target, top!)).sort(), ['dump', 'manifest.json']);
  const bytes = readFileSync(join(target, top!, 'dump/oplog.bson'));
  const entries: Document[] = [];
  for (let at = 0; at < bytes.length; at += bytes.readInt32LE(at))
    entries.push(BSON.deserialize(bytes.subarray(at, at + bytes.readInt32LE(at))));
  const manifest = JSON.parse(readFileSync(join(target, top!, 'manifest.json'), 'utf8'));
  assert.equal(manifest.count, entries.length);
  assert.ok(entries.some(({ op, ns, o }) => op === 'i' && ns === `${database}.orders` && o._id === 5));
});

test('a time that is not reached is refused before anything is written, and says what is', () => {
  const names = ['--ns-from', `${database}.*`, '--ns-to', `${database}_3.*`];
  const run = holdfast([
    'restore',
    'latest',
    '-r',
    repository,
    '--target',
    server.url,
    ...names,
    '--until',
    '4000000000:1',
    '--json',
  ]);
  assert.equal(run.status, 1);
  const error = jsonLines(run.stderr).at(-1)!;
  assert.equal(error.error_code, 'sources.oplog-gap');
  assert.match(
    String(error.message),
    /^cannot restore to 2096-10-02T07:06:40Z \(4000000000:1\): this backup and its slices reach from /,
  );
});

test('the list shows what can be restored, not the slices', () => {
  const { stdout } = holdfast(['snapshots', '-r', repository]);
  assert.match(stdout, /^1 snapshot$/m);
  assert.match(
    stdout,
    /^Oplog of mongodb-.*: 2 slices; restore with --until TIME\n {2}[0-9a-f]{8} {2}any time from 20.* to 20.*$/m,
  );
  const listed = JSON.parse(holdfast(['snapshots', '-r', repository, '--json']).stdout) as {
    oplog?: { to: string };
  }[];
  assert.equal(listed.filter(({ oplog }) => oplog?.to).length, 3);
});

test('goes on until it is stopped, and then saves what it has', async () => {
  const args = [
    'backup',
    '-r',
    repository,
    server.url,
    ...only,
    '--name',
    'live',
    '--continuous',
    '--slice-every',
    '1s',
    '--json',
  ];
  const run = startHoldfast(args);
  const ended = once(run, 'exit');
  const lines: Record<string, unknown>[] = [];
  await orders().insertOne({ _id: 6 } as Document);
  for await (const text of createInterface({ input: run.stdout })) {
    lines.push(JSON.parse(text));
    if (lines.at(-1)!.message_type === 'slice' && !run.killed) run.kill('SIGTERM');
  }
  assert.deepEqual(await ended, [0, null]);
  const summary = lines.at(-1)!;
  assert.equal(summary.state, 'succeeded');
  assert.ok((summary.slices as number) >= 1);
});

test('source test tells how far the oplog reaches back', () => {
  const { stdout } = holdfast(['source', 'test', server.url]);
  assert.match(stdout, /^a backup would be one point in time/m);
  assert.match(stdout, /^take slices \(--incremental\) at least every \d/m);
});

test('slices of a single database, or of files, are refused', () => {
  const refuse = (...args: string[]): unknown => {
    const { status, stderr } = holdfast(['backup', '-r', repository, '--incremental', '--json', ...args]);
    return [status, jsonLines(stderr).at(-1)!.error_code];
  };
  for (const args of [[server.url, '--db', 'x'], ['/etc'], [server.url, '--dry-run']])
    assert.deepEqual(refuse(...args), [2, 'cli.usage']);
});
