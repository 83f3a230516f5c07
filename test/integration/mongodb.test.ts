import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { BSON, type Document, MongoClient } from 'mongodb';
import { holdfast, jsonLines, makeRepository, password, startHoldfast } from '../command/holdfast.ts';
import { freePort } from '../servers/free-port.ts';
import { type MongoServer, startMongoServer } from '../servers/mongo-java-server.ts';
import { Restic } from '../servers/restic.ts';

const { Binary, BSONRegExp, Code, Decimal128, Double, Int32, Long, MaxKey, MinKey, ObjectId, Timestamp } =
  BSON;

let folder: string;
let repository: string;
let server: MongoServer;
let client: MongoClient;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-mongodb-'));
  repository = join(folder, 'repository');
  await makeRepository(repository);
  server = await startMongoServer();
  client = await MongoClient.connect(server.url);
  await fill(client);
});
after(async () => {
  await client?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Every type that the server takes, and `_id`s of many types in one collection. */
const documents: Document[] = [
  { _id: 1, double: new Double(3), minusZero: new Double(-0), nan: new Double(Number.NaN) },
  { _id: 'text', long: Long.fromString('9007199254740993'), one: Long.fromNumber(1), int: new Int32(-1) },
  { _id: new ObjectId('0123456789abcdef01234567'), nested: { a: [{ b: [[], {}] }], '': null } },
  { _id: new Date(0), far: new Date(8.64e15), before: new Date(-1), yes: true, no: false },
  { _id: { a: 1, b: 2 }, decimal: Decimal128.fromString('1.00'), low: new MinKey(), high: new MaxKey() },
  { _id: { b: 2, a: 1 }, binary: new Binary(Buffer.from('bytes'), 0), uuid: new BSON.UUID() },
  {
    _id: Long.fromString('9223372036854775807'),
    code: new Code('return 1'),
    time: new Timestamp({ t: 9, i: 9 }),
  },
  { _id: true, regex: new BSONRegExp('^a/b', 'i'), $dollar: 1, 'dotted.name': 2, constructor: 3 },
  new Map<string, unknown>([
    ['_id', 'ordered'],
    ['10', 1],
    ['2', 2],
    ['1', 3],
  ]) as unknown as Document,
  { _id: 'strings', euro: '€ 😀 ‮rtl', zero: 'a\0b', separators: '\u2028\u2029', empty: '' },
];

const names = [
  'a.b',
  'with space',
  'sla/sh',
  'back\\slash',
  'quote"s\'',
  'Ünï😀',
  'x.metadata.json',
  '__proto__',
  '%2F',
  '..',
];

async function fill(client: MongoClient): Promise<void> {
  const zoo = client.db('zoo');
  await zoo.collection('types').insertMany(documents);
  for (const [i, name] of names.entries()) await zoo.collection(name).insertOne({ _id: i, name } as Document);
  const many = client.db('many');
  for (let i = 0; i < 60; i++) await many.collection(`c${i}`).insertOne({ _id: i } as Document);
  const shop = client.db('shop');
  const orders = Array.from({ length: 5000 }, (_, i) => ({
    _id: i,
    customer: `c${i % 97}`,
    total: i / 3,
  })) as Document[];
  await shop.collection('orders').insertMany(orders);
  await shop.collection('orders').createIndex({ customer: 1, total: -1 }, { name: 'by customer' });
  await shop.collection('large').insertOne(documentOfBytes(largeBytes));
  await shop.createCollection('empty');
}

/** A little below the limit of MongoDB, at which this server closes the connection. */
const largeBytes = 16 * 1024 * 1024 - 1024;

function documentOfBytes(bytes: number): Document {
  const empty = BSON.serialize({ _id: 1, b: Buffer.alloc(0) }).length;
  return { _id: 1, b: Buffer.alloc(bytes - empty, 7) };
}

function backup(...args: string[]) {
  return holdfast(['backup', '-r', repository, server.url, ...args]);
}

/** Restores by stock restic. @returns the folder of the deployment */
function restoreByRestic(snapshot = 'latest'): string {
  const target = mkdtempSync(join(folder, 'restored-'));
  new Restic({ repository, password }).run('restore', snapshot, '--target', target);
  const [name, ...others] = readdirSync(target);
  assert.deepEqual(others, []);
  return join(target, name!);
}

function documentsOf(file: string): Buffer[] {
  const bytes = readFileSync(file);
  const found: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += bytes.readInt32LE(at))
    found.push(bytes.subarray(at, at + bytes.readInt32LE(at)));
  return found;
}

/** What the server holds, by the driver alone. */
async function rawOf(database: string, collection: string): Promise<Buffer[]> {
  const cursor = client.db(database).collection(collection).find({}, { raw: true });
  return ((await cursor.toArray()) as unknown as Uint8Array[]).map((one) => Buffer.from(one));
}

const sorted = (list: readonly Buffer[]): string[] => list.map((one) => one.toString('base64')).sort();

test('backs a whole deployment up as the folder that mongodump makes, with a manifest beside it', async () => {
  const { status, stdout, stderr } = backup('--name', 'whole', '--json');
  assert.equal(status, 0, stderr);
  const summary = jsonLines(stdout).find((line) => line.message_type === 'summary')!;
  assert.equal(summary.state, 'succeeded');
  assert.equal(summary.read_back, 'matched');
  assert.equal(summary.consistency, 'none');
  const top = restoreByRestic();
  assert.deepEqual(readdirSync(top).sort(), ['dump', 'manifest.json']);
  const dump = join(top, 'dump');
  assert.deepEqual(readdirSync(dump).sort(), ['many', 'prelude.json', 'shop', 'zoo']);
  assert.equal(
    readFileSync(join(dump, 'prelude.json'), 'utf8'),
    '{"ServerVersion":"5.0.0","ToolVersion":"100.18.0"}',
  );
  const files = readdirSync(join(dump, 'zoo')).filter((name) => name.endsWith('.bson'));
  assert.deepEqual(
    files.sort(),
    [
      '%252F.bson',
      '...bson',
      '__proto__.bson',
      'a.b.bson',
      'back%5Cslash.bson',
      'quote%22s%27.bson',
      'sla%2Fsh.bson',
      'types.bson',
      'with+space.bson',
      'x.metadata.json.bson',
      '%C3%9Cn%C3%AF%F0%9F%98%80.bson',
    ].sort(),
  );
  assert.equal(readFileSync(join(dump, 'shop/empty.bson')).length, 0);
  // An independent reader: length prefixes, and the driver's own raw bytes.
  for (const [database, collection, file] of [
    ['zoo', 'types', 'types'],
    ['zoo', 'with space', 'with+space'],
    ['shop', 'orders', 'orders'],
    ['shop', 'large', 'large'],
  ] as const)
    assert.deepEqual(
      sorted(documentsOf(join(dump, database, `${file}.bson`))),
      sorted(await rawOf(database, collection)),
    );
});

test('the manifest states what an independent count and hash find', () => {
  const top = restoreByRestic();
  const manifest = JSON.parse(readFileSync(join(top, 'manifest.json'), 'utf8'));
  assert.equal(manifest.collections.length, 60 + names.length + 1 + 3);
  assert.deepEqual(manifest.problems, []);
  assert.equal(manifest.server.topology, 'standalone');
  assert.match(manifest.consistency.sentence, /^not a single point in time/);
  for (const { dataFile, content, counted } of manifest.collections) {
    const found = documentsOf(join(top, 'dump', dataFile));
    let sum = 0n;
    for (const one of found) sum += BigInt(`0x${createHash('sha256').update(one).digest('hex')}`);
    assert.deepEqual(content, {
      count: found.length,
      bytes: found.reduce((total, { length }) => total + length, 0),
      hash: (sum % 2n ** 256n).toString(16).padStart(64, '0'),
    });
    assert.deepEqual(counted, { before: found.length, after: found.length });
  }
});

test('metadata has mongodump’s keys and canonical extended JSON', () => {
  const text = readFileSync(join(restoreByRestic(), 'dump/shop/orders.metadata.json'), 'utf8');
  const { indexes, ...rest } = BSON.EJSON.parse(text, { relaxed: false });
  assert.deepEqual(rest, { collectionName: 'orders', type: 'collection' });
  assert.ok(
    text.startsWith('{"indexes":[{') && text.endsWith('],"collectionName":"orders","type":"collection"}'),
  );
  assert.deepEqual(indexes[1].key, { customer: new Int32(1), total: new Int32(-1) });
  assert.equal(indexes[1].name, 'by customer');
});

test('takes one database, one collection, or what patterns say', () => {
  const filesOf = (...args: string[]): string[] => {
    assert.equal(backup(...args).status, 0);
    const files = readdirSync(restoreByRestic(), { recursive: true, encoding: 'utf8' });
    return files.filter((name) => name.endsWith('.bson') || name.endsWith('prelude.json')).sort();
  };
  assert.deepEqual(filesOf('--db', 'shop'), [
    'dump/shop/empty.bson',
    'dump/shop/large.bson',
    'dump/shop/orders.bson',
    'dump/shop/prelude.json',
  ]);
  assert.deepEqual(filesOf('--db', 'zoo', '--collection', 'a.b'), [
    'dump/zoo/a.b.bson',
    'dump/zoo/prelude.json',
  ]);
  assert.deepEqual(filesOf('--ns-include', 'shop.*', '--ns-exclude', '*.large'), [
    'dump/prelude.json',
    'dump/shop/empty.bson',
    'dump/shop/orders.bson',
  ]);
});

test('an unchanged deployment costs next to nothing the second time', () => {
  const { stdout } = backup('--json');
  const summary = jsonLines(stdout).find((line) => line.message_type === 'summary')!;
  assert.ok((summary.total_bytes_processed as number) > 16_000_000);
  // The backup before was of these only.
  assert.equal(summary.collections_unchanged, ['shop.empty', 'shop.orders'].length);
  // Trees have the time of each file, and the manifest those of the dump.
  assert.ok((summary.data_added as number) < 170_000, String(summary.data_added));
});

test('a database that is not there, and options of files, are refused', () => {
  const absent = backup('--db', 'nothing', '--json');
  assert.equal(absent.status, 1);
  assert.equal(jsonLines(absent.stderr).at(-1)!.error_code, 'sources.absent');
  assert.equal(backup('--exclude', '*.tmp').status, 2);
});

test('a server that does not answer: failed, with its code, and without the password', async () => {
  const port = await freePort();
  const url = `mongodb://ada:geheim@127.0.0.1:${port}/?serverSelectionTimeoutMS=300`;
  const run = holdfast(['backup', '-r', repository, '--json'], { env: { HOLDFAST_SOURCE_URL: url } });
  assert.equal(run.status, 1);
  const error = jsonLines(run.stderr).at(-1)!;
  assert.equal(error.error_code, 'sources.unreachable');
  assert.equal(
    error.message,
    `cannot connect to MongoDB at 127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`,
  );
  assert.doesNotMatch(run.stdout + run.stderr, /geheim/);
});

test('what restic shows of it has no secret', () => {
  const snapshots = new Restic({ repository, password }).run('snapshots', '--json');
  const [first] = JSON.parse(snapshots);
  assert.deepEqual(first.paths, [`/mongodb-127.0.0.1-${server.port}`]);
});

function restore(...args: string[]) {
  return holdfast([
    'restore',
    'latest',
    '--name',
    'whole',
    '-r',
    repository,
    '--target',
    server.url,
    ...args,
  ]);
}

test('restores under other names, with indexes, and finds everything equal', async () => {
  const names = ['--ns-from', '*.*', '--ns-to', 'back_*.*', '--ns-exclude', 'many.*'];
  const { status, stdout, stderr } = restore(...names);
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /^restored and matched: counts, bytes and hashes are those of the manifest$/m);
  for (const [database, collection] of [
    ['zoo', 'types'],
    ['zoo', '__proto__'],
    ['shop', 'large'],
    ['shop', 'orders'],
  ] as const)
    assert.deepEqual(
      sorted(await rawOf(`back_${database}`, collection)),
      sorted(await rawOf(database, collection)),
    );
  const indexes = await client.db('back_shop').collection('orders').indexes();
  assert.deepEqual(indexes.map(({ name }) => name).sort(), ['_id_', 'by customer']);
});

test('never writes over what is there without the typed name', async () => {
  const only = ['--ns-include', 'zoo.types'];
  const refused = restore('--drop', ...only);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /the target holds documents already: zoo\.types\n {2}hint: .*--yes-drop zoo/);
  await client.db('zoo').collection('types').insertOne({ name: 'new' });
  const before = sorted(await rawOf('zoo', 'types'));
  const dropped = restore('--drop', '--yes-drop', 'zoo', ...only);
  assert.equal(dropped.status, 0, dropped.stderr);
  const [, safety] = /^what was replaced is saved as snapshot ([0-9a-f]{8}) \(holdfast-safety\)$/m.exec(
    dropped.stdout,
  )!;
  const saved = join(restoreByRestic(safety), 'dump/zoo/types.bson');
  assert.deepEqual(sorted(documentsOf(saved)), before);
  assert.equal((await rawOf('zoo', 'types')).length, documents.length);
  const aside = restore(...only);
  assert.match(aside.stdout, /^zoo is there already and holds documents: it is restored as zoo_restored$/m);
  assert.equal((await rawOf('zoo_restored', 'types')).length, documents.length);
});

test('finds documents by _id in a snapshot, as text, number, ObjectId or Extended JSON', () => {
  const find = (...args: string[]) =>
    holdfast([
      'find',
      '-r',
      repository,
      '-s',
      'latest',
      '--name',
      'whole',
      '--ns-include',
      'zoo.types',
      ...args,
    ]);
  const found = find(
    '--id',
    '0123456789abcdef01234567',
    '--id',
    '1',
    '--id',
    '{"b":{"$numberInt":"2"},"a":{"$numberInt":"1"}}',
    '--json',
  );
  assert.equal(found.status, 0, found.stderr);
  const lines = jsonLines(found.stdout);
  assert.deepEqual(
    lines.map(({ namespace, document }) => [namespace, (document as Document)._id]),
    [
      ['zoo.types', { $numberInt: '1' }],
      ['zoo.types', { $oid: '0123456789abcdef01234567' }],
      ['zoo.types', { b: { $numberInt: '2' }, a: { $numberInt: '1' } }],
    ],
  );
  assert.match(find('--id', 'text').stdout, /^zoo\.types {2}\{"_id":"text"/m);
  assert.match(find('--id', 'absent').stdout, /nothing was found/);
  assert.equal(find('--id', '{broken').status, 2);
  assert.equal(find().status, 2);
});

test('restores one document, beside what is there or into it, never over another', async () => {
  const only = ['--ns-include', 'shop.orders', '--id', '7'];
  const orders = client.db('shop').collection('orders');
  const aside = restore(...only, '--ns-from', 'shop.*', '--ns-to', 'one.*');
  assert.equal(aside.status, 0, aside.stderr);
  assert.equal((await rawOf('one', 'orders')).length, 1);
  const before = sorted(await rawOf('shop', 'orders'));
  await orders.deleteOne({ _id: 7 } as Document);
  const into = [...only, '--resume', '--ns-from', 'shop.*', '--ns-to', 'shop.*'];
  assert.equal(restore(...into).status, 0);
  assert.deepEqual(sorted(await rawOf('shop', 'orders')), before);
  await orders.updateOne({ _id: 7 } as Document, { $set: { total: 'other' } });
  assert.match(restore(...into).stderr, /shop\.orders does not take the document/);
  await orders.replaceOne({ _id: 7 } as Document, { customer: 'c7', total: 7 / 3 });
  assert.match(restore('--ns-include', 'shop.orders', '--id', 'absent').stderr, /no document of such an _id/);
  assert.equal(restore(...only, '--drop').status, 2);
});

test('source test tells what a backup would find', () => {
  const { status, stdout } = holdfast(['source', 'test', server.url, '--db', 'shop']);
  assert.equal(status, 0);
  assert.match(stdout, /^MongoDB 5\.0\.0, standalone$/m);
  assert.match(stdout, /^a backup would be not a single point in time/m);
  assert.match(stdout, /^shop +3 +0 +5,001/m);
});

test('a server that is killed in the middle: partial, with the names of what is lost', async () => {
  const doomed = await startMongoServer();
  try {
    const filler = await MongoClient.connect(doomed.url);
    const some = Array.from({ length: 3000 }, (_, i) => ({ text: `${i}`.repeat(20) }));
    await filler.db('shop').collection('orders').insertMany(some);
    await filler.db('shop').collection('few').insertOne({ a: 1 });
    await filler.close();
    const args = ['--limit-read', '50K', '--batch-size', '20', '--collections-at-once', '2', '--json'];
    const url = `${doomed.url}&serverSelectionTimeoutMS=500`;
    const run = startHoldfast(['backup', '-r', repository, url, '--name', 'doomed', ...args]);
    let stderr = '';
    run.stderr.on('data', (text) => {
      stderr += text;
    });
    const ended = once(run, 'exit');
    const lines: Record<string, unknown>[] = [];
    for await (const text of createInterface({ input: run.stdout })) {
      const line = JSON.parse(text);
      lines.push(line);
      if (line.message_type === 'status' && line.bytes_done > 20_000) await doomed.kill();
    }
    assert.deepEqual(await ended, [3, null]);
    const summary = lines.at(-1)!;
    assert.equal(summary.state, 'partial');
    assert.equal(summary.read_back, 'matched');
    assert.match(stderr, /dump\/shop\/orders\.bson.*cannot read shop\.orders: /);
    const manifest = JSON.parse(
      new Restic({ repository, password }).run(
        'dump',
        String(summary.snapshot_id),
        `/mongodb-127.0.0.1-${doomed.port}/manifest.json`,
      ),
    );
    const lost = manifest.collections.filter((one: Document) => one.content === undefined);
    assert.deepEqual(
      lost.map((one: Document) => one.name),
      ['orders'],
    );
  } finally {
    await doomed.stop();
  }
});
