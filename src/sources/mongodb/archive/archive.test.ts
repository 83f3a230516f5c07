import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { BSON } from 'mongodb';
import { collect } from '#base';
import { mongoSource } from '../mongo-source.ts';
import { readDumpBack } from '../read-dump-back.ts';
import { type CollectedDump, collectDump } from '../testing/collected-dump.ts';
import { type ScriptedCollection, startScriptedMongo } from '../testing/scripted-mongo.ts';
import { archiveSource } from './archive-source.ts';
import { Crc64 } from './crc64.ts';
import { archiveOfDump } from './write-archive.ts';

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-archive-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

const bson = (value: object): Uint8Array => BSON.serialize(value);

async function dumped(): Promise<CollectedDump> {
  const documents = Array.from({ length: 50 }, (_, _id) => bson({ _id, text: 'x'.repeat(_id) }));
  const shop = new Map<string, ScriptedCollection>([
    [
      'orders',
      {
        documents,
        uuid: '00000001-0000-4000-8000-000000000000',
        indexes: [{ v: 2, key: { '10': 1, '2': -1 }, name: 'numbers' }],
      },
    ],
    ['cheap', { documents: [], type: 'view', options: { viewOn: 'orders', pipeline: [] } }],
    ['empty', { documents: [], options: { capped: true, size: 4096 } }],
    ['weather', { documents: [], type: 'timeseries', options: { timeseries: { timeField: 't' } } }],
    ['system.buckets.weather', { documents: [bson({ _id: 1, control: {} })] }],
  ]);
  const admin = new Map([['system.users', { documents: [bson({ _id: 'shop.ada' })] }]]);
  const server = await startScriptedMongo({
    databases: new Map([
      ['shop', shop],
      ['admin', admin],
    ]),
  });
  try {
    return await collectDump(mongoSource({ url: server.url, withUsers: true }));
  } finally {
    await server.stop();
  }
}

async function archived({ manifest, files }: CollectedDump): Promise<Buffer> {
  const onLeftOut = (name: string): void => assert.fail(name);
  return Buffer.from(await collect(archiveOfDump(manifest, (path) => once(files.get(path)!), { onLeftOut })));
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function readBack(name: string, bytes: Uint8Array): Promise<CollectedDump> {
  const file = join(folder, name);
  writeFileSync(file, bytes);
  return collectDump(archiveSource({ file, name: 'theirs' }));
}

test('the checksum is CRC-64/XZ', () => {
  const crc = new Crc64();
  crc.add(Buffer.from('12345'));
  crc.add(Buffer.from('6789'));
  assert.equal(BigInt.asUintN(64, crc.value()), 0x995dc9bbdf1939fan);
  assert.equal(new Crc64().value(), 0n);
});

test('a dump becomes an archive and the same folder again, gzip or not', async () => {
  const dump = await dumped();
  const archive = await archived(dump);
  for (const [name, bytes] of [
    ['plain', archive],
    ['gzip', gzipSync(archive)],
  ] as const) {
    const again = await readBack(name, bytes);
    assert.deepEqual(again.problems, []);
    const names = (one: CollectedDump) => [...one.files.keys()].sort();
    assert.deepEqual(names(again), names(dump));
    for (const [path, content] of dump.files)
      if (path !== 'manifest.json')
        assert.deepEqual(Buffer.from(again.files.get(path)!), Buffer.from(content), path);
    const facts = (one: CollectedDump) =>
      new Map(
        one.manifest.collections.map(({ database, name, content, indexes, type, uuid }) => [
          `${database}.${name}`,
          { content, indexes, type, uuid },
        ]),
      );
    assert.deepEqual(facts(again), facts(dump));
    const problems: string[] = [];
    const open = (path: string) => once(again.files.get(path)!);
    await readDumpBack(again.manifest, open, { onProblem: ({ path }) => problems.push(path) });
    assert.deepEqual(problems, []);
  }
});

test('users and roles stand before everything else, as mongorestore needs it', async () => {
  const archive = await archived(await dumped());
  const first = archive.indexOf(Buffer.from('ff'.repeat(4), 'hex')) + 4;
  const { db, collection } = BSON.deserialize(archive.subarray(first, first + archive.readInt32LE(first)));
  assert.deepEqual([db, collection], ['admin', 'system.users']);
});

test('reads the very archive of mongodump 100.18 and writes the same bytes of it', async () => {
  const lines = readFileSync(
    join(import.meta.dirname, '../../../../test/vectors/mongodb/archive.txt'),
    'utf8',
  );
  const archive = Buffer.from(
    lines
      .split('\n')
      .filter((line) => !line.startsWith('#'))
      .join(''),
    'base64',
  );
  const dump = await readBack('vector', archive);
  assert.deepEqual(
    dump.manifest.collections.map(({ database, name, content }) => [database, name, content!.count]),
    [['shop', 'orders', 2]],
  );
  assert.deepEqual(await archived(dump), archive);
});

test('what is cut, altered or goes on after its end is refused', async () => {
  const archive = await archived(await dumped());
  const flipped = (at: number): Buffer => {
    const bytes = Buffer.from(archive);
    bytes[at]! ^= 1;
    return bytes;
  };
  for (const [name, bytes, reason] of [
    ['nothing', Buffer.alloc(0), /does not begin as one/],
    ['magic', flipped(0), /does not begin as one/],
    ['document', flipped(archive.indexOf('xxxx') + 1), /the checksum of shop\.orders does not fit/],
    ['half', archive.subarray(0, archive.length >> 1), /cut|ends before/],
    ['last', archive.subarray(0, -4), /it is cut/],
    [
      'one namespace less',
      archive.subarray(0, archive.lastIndexOf(Buffer.from('ff'.repeat(4), 'hex'), -200)),
      /ends before|cut/,
    ],
    ['twice', Buffer.concat([archive, archive.subarray(-70)]), /./],
    ['gzip that is cut', gzipSync(archive).subarray(0, -20), /cannot be decompressed/],
  ] as const)
    await assert.rejects(readBack('bad', bytes), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'sources.damaged', name);
      assert.match(error.message, reason, name);
      return true;
    });
  await assert.rejects(collectDump(archiveSource({ file: join(folder, 'absent'), name: 'x' })), {
    code: 'sources.absent',
  });
});
