import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { BSON, type Db, type Document, MongoClient } from 'mongodb';
import { holdfast, jsonLines, makeRepository } from '../command/holdfast.ts';
import { startAnyMongo } from '../servers/mongo-java-server.ts';

// Runs against a real deployment too: HOLDFAST_TEST_MONGODB=mongodb://…

let folder: string;
let repository: string;
let server: Awaited<ReturnType<typeof startAnyMongo>>;
let client: MongoClient;
const prefix = `holdfast_test_${process.pid}`;
const source = `${prefix}_from`;
const target = `${prefix}_to`;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-deployment-'));
  repository = join(folder, 'repository');
  await makeRepository(repository);
  server = await startAnyMongo();
  client = await MongoClient.connect(server.url);
  await fill(client.db(source));
});
after(async () => {
  for (const name of [source, target]) await client?.db(name).dropDatabase();
  await client?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const oddNames = [
  'a.b',
  'with space',
  'sla/sh',
  'quote"s\'',
  'Ünï😀',
  '__proto__',
  '%2F',
  'a%24b',
  'x'.repeat(90),
];

async function fill(db: Db): Promise<void> {
  const names = [...oddNames, ...Array.from({ length: 500 - oddNames.length }, (_, i) => `c${i}`)];
  for (const [i, name] of names.entries())
    await db
      .collection(name)
      .insertMany([{ _id: i }, { _id: name, n: BSON.Long.fromNumber(i) }] as Document[]);
  await db.collection('c0').createIndex({ a: 1, b: -1 }, { name: 'two', unique: true, sparse: true });
  await db.collection('c1').createIndex({ at: 1 }, { name: 'ttl', expireAfterSeconds: 1_000_000 });
  // Not every server has all of these; what it does not keep is not compared.
  const kinds: [string, Document][] = [
    ['capped', { capped: true, size: 4096 }],
    ['cheap', { viewOn: 'c2', pipeline: [{ $match: { n: { $gt: 1 } } }] }],
    ['strict', { validator: { n: { $exists: true } }, validationAction: 'warn' }],
    ['german', { collation: { locale: 'de' } }],
    ['weather', { timeseries: { timeField: 'at', metaField: 'place' } }],
  ];
  for (const [name, options] of kinds) await db.createCollection(name, options).catch(() => {});
}

interface Described {
  type: string | undefined;
  options: Document | undefined;
  indexes: Document[];
  documents: string[];
}

async function describe(db: Db): Promise<Map<string, Described>> {
  const all = new Map<string, Described>();
  for (const { name, type, options } of (await db.listCollections().toArray()) as Document[]) {
    if (name.startsWith('system.')) continue;
    const documents = await db.collection(name).find({}, { raw: true }).toArray();
    const indexes = type === 'view' ? [] : await db.collection(name).indexes();
    all.set(name, {
      type,
      options,
      indexes,
      documents: documents.map((one) => Buffer.from(one as unknown as Uint8Array).toString('hex')).sort(),
    });
  }
  return all;
}

test('five hundred collections come back as they were: names, options, indexes and every byte', async () => {
  const saved = holdfast(['backup', '-r', repository, server.url, '--ns-include', `${source}.*`, '--json']);
  assert.equal(saved.status, 0, saved.stderr);
  assert.equal(jsonLines(saved.stdout).at(-1)!.read_back, 'matched');
  const names = ['--ns-from', `${source}.*`, '--ns-to', `${target}.*`];
  const restored = holdfast([
    'restore',
    'latest',
    '-r',
    repository,
    '--target',
    server.url,
    ...names,
    '--json',
  ]);
  assert.equal(restored.status, 0, restored.stderr);
  const summary = jsonLines(restored.stdout).at(-1)!;
  assert.equal(summary.state, 'succeeded');
  const [before, now] = [await describe(client.db(source)), await describe(client.db(target))];
  assert.ok(before.size >= 500);
  assert.deepEqual([...now.keys()].sort(), [...before.keys()].sort());
  for (const [name, one] of before) assert.deepEqual(now.get(name), one, name);
});
