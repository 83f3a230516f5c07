/**
 * Dumps a scripted server that streams prebuilt batches, beside a plain cursor drain of it, which is the ceiling:
 * `scripts/node bench/mongodb.ts [--documents 1000000] [--bytes 130] [--collections 20] [--place FOLDER]`. Prints
 * seconds, CPU, peak memory, and what a second, unchanged backup adds.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { BSON, type Document, MongoClient } from 'mongodb';
import { seededRandom } from '#base';
import { type Cost, measure, sizeOfFolder } from './measure.ts';

const { values } = parseArgs({
  options: {
    documents: { type: 'string', default: '1000000' },
    bytes: { type: 'string', default: '130' },
    collections: { type: 'string', default: '20' },
    place: { type: 'string', default: join(tmpdir(), 'holdfast-bench-mongodb') },
    /** What a process started by this one does. */
    step: { type: 'string' },
    url: { type: 'string' },
  },
});
const collections = Number(values.collections);
const perCollection = Math.ceil(Number(values.documents) / collections);
const documentBytes = Number(values.bytes);
const batchBytes = 2 * 1024 * 1024;
const batchCount = Math.max(1, Math.floor(batchBytes / documentBytes));
const holdfast = join(import.meta.dirname, '../bin/holdfast');

if (values.step === 'serve') await serve();
else if (values.step === 'drain') await drain(values.url!);
else await compare();

async function compare(): Promise<void> {
  const self = [import.meta.filename, ...['documents', 'bytes', 'collections'].flatMap(argumentOf)];
  const node = [...process.execArgv];
  const server = spawn(process.execPath, [...node, ...self, '--step', 'serve'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [url] = (await once(createInterface({ input: server.stdout }), 'line')) as [string];
  const repository = join(values.place, 'repository');
  rmSync(values.place, { recursive: true, force: true });
  const env = { HOLDFAST_PASSWORD: 'benchmark', HOLDFAST_REPOSITORY: repository, HOLDFAST_SOURCE_URL: url };
  const run = (...args: string[]): Cost => measure({ program: holdfast, args, env });
  try {
    tell(
      'drain',
      measure({ program: process.execPath, args: [...node, ...self, '--step', 'drain', '--url', url] }),
    );
    run('init');
    tell('first backup', run('backup', '--no-read-back', '--quiet'));
    const before = sizeOfFolder(repository);
    tell('unchanged backup', run('backup', '--no-read-back', '--quiet'));
    const added = sizeOfFolder(repository) - before;
    print(`stored ${before} bytes; the unchanged backup added ${((added / before) * 100).toFixed(3)} %`);
  } finally {
    server.kill();
    rmSync(values.place, { recursive: true, force: true });
  }
}

function argumentOf(name: 'documents' | 'bytes' | 'collections' | string): string[] {
  return [`--${name}`, String(values[name as 'documents'])];
}

function tell(name: string, { wallSeconds, cpuSeconds, rssMiB }: Cost): void {
  const total = perCollection * collections;
  const rate = `${Math.round(total / wallSeconds)} documents/s, ${((total * documentBytes) / wallSeconds / 2 ** 20).toFixed(0)} MiB/s`;
  print(`${name}: ${wallSeconds} s, CPU ${cpuSeconds.toFixed(1)} s, ${rssMiB.toFixed(0)} MiB; ${rate}`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Four collections at once, whole batches as bytes: what a reader costs that does nothing. */
async function drain(url: string): Promise<void> {
  const client = await MongoClient.connect(url);
  const names = Array.from({ length: collections }, (_, i) => `c${i}`).values();
  const worker = async (): Promise<void> => {
    for (const name of names) {
      const cursor = client
        .db('bench')
        .runCursorCommand({ find: name, batchSize: 100_000 }, { raw: true } as object);
      cursor.setBatchSize(100_000);
      let count = 0;
      while (await cursor.hasNext()) count += cursor.readBufferedDocuments().length;
      if (count !== perCollection) throw new Error(`${name} had ${count} documents`);
    }
  };
  await Promise.all(Array.from({ length: 4 }, worker));
  await client.close();
}

async function serve(): Promise<void> {
  const template = buildTemplate();
  const server = createServer((socket) => answerAll(socket, template)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  print(`mongodb://127.0.0.1:${(server.address() as { port: number }).port}/?directConnection=true`);
}

/** A document of the wanted size whose `_id` is an int32 at byte 9; the rest is text of a seeded chance. */
function buildTemplate(): Buffer[] {
  const random = seededRandom(7);
  const empty = BSON.serialize({ _id: 0, text: '' }).length;
  return Array.from({ length: batchCount }, (_, _id) => {
    const text = Buffer.from(random.fill(Buffer.alloc(documentBytes)))
      .toString('base64')
      .slice(0, documentBytes - empty);
    return Buffer.from(BSON.serialize({ _id, text }));
  });
}

function answerAll(socket: Socket, template: readonly Buffer[]): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on('error', () => {});
  socket.on('data', (piece: Buffer) => {
    rest = Buffer.concat([rest, piece]);
    while (rest.length >= 4 && rest.length >= rest.readInt32LE(0)) {
      const message = rest.subarray(0, rest.readInt32LE(0));
      rest = rest.subarray(message.length);
      socket.write(answer(message, template));
    }
  });
}

function answer(message: Buffer, template: readonly Buffer[]): Buffer {
  const isQuery = message.readInt32LE(12) === 2004;
  const body = isQuery
    ? Buffer.from(BSON.serialize(hello()))
    : replyTo(BSON.deserialize(message.subarray(21)), template);
  const head = Buffer.alloc(isQuery ? 36 : 21);
  head.writeInt32LE(head.length + body.length, 0);
  head.writeInt32LE(message.readInt32LE(4), 8);
  head.writeInt32LE(isQuery ? 1 : 2013, 12);
  if (isQuery) head.writeInt32LE(1, 32);
  return Buffer.concat([head, body]);
}

function hello(): Document {
  const sizes = { maxBsonObjectSize: 2 ** 24, maxMessageSizeBytes: 48_000_000, maxWriteBatchSize: 100_000 };
  return { isWritablePrimary: true, ismaster: true, maxWireVersion: 13, minWireVersion: 0, ...sizes, ok: 1 };
}

function replyTo(command: Document, template: readonly Buffer[]): Buffer {
  const name = Object.keys(command)[0]!;
  if (name === 'getMore') return batch(template, String(command.collection), Number(command.getMore));
  if (name === 'find' && !command.limit) return batch(template, command.find, 0);
  return Buffer.from(BSON.serialize(plainReply(name, command)));
}

function plainReply(name: string, command: Document): Document {
  const cursor = (firstBatch: Document[]): Document => ({
    cursor: { firstBatch, id: 0n, ns: 'bench.x' },
    ok: 1,
  });
  const listed = Array.from({ length: collections }, (_, i) => ({
    name: `c${i}`,
    type: 'collection',
    options: {},
  }));
  const replies: Record<string, Document> = {
    hello: hello(),
    buildInfo: { version: '5.0.0', ok: 1 },
    listDatabases: { databases: [{ name: 'bench' }], ok: 1 },
    listCollections: cursor(listed),
    listIndexes: cursor([{ v: 2, key: { _id: 1 }, name: '_id_' }]),
    count: { n: perCollection, ok: 1 },
    find: cursor([{ _id: command.sort?._id === -1 ? perCollection - 1 : 0 }]),
    endSessions: { ok: 1 },
    killCursors: { ok: 1 },
  };
  return replies[name] ?? { ok: 0, code: 59, errmsg: `no such command: ${name}` };
}

/** A reply is made once and copied; only ids and salts are written into the copy. */
interface Prebuilt {
  reply: Buffer;
  /** Where each document begins. */
  starts: number[];
  idAt: number;
}

const prebuilt = new Map<string, Prebuilt>();

/** The documents from a place on; the cursor's id is the place where it goes on. Ids count through the collection. */
function batch(template: readonly Buffer[], collection: string, from: number): Buffer {
  const count = Math.min(batchCount, perCollection - from);
  const to = from + count;
  const key = `${from === 0 ? 'firstBatch' : 'nextBatch'} ${count} ${collection.length}`;
  const built = prebuilt.get(key) ?? prebuild(template.slice(0, count), collection, from === 0);
  prebuilt.set(key, built);
  const reply = Buffer.from(built.reply);
  const salt = Number(collection.slice(1)) << 24;
  for (const [i, start] of built.starts.entries()) {
    reply.writeInt32LE(from + i, start + 9);
    reply.writeInt32LE(salt ^ (from + i), start + template[i]!.length - 8);
  }
  reply.writeBigInt64LE(to < perCollection ? BigInt(to) : 0n, built.idAt);
  return reply;
}

function prebuild(documents: readonly Buffer[], collection: string, isFirst: boolean): Prebuilt {
  const parts = documents.flatMap((document, i) => [Buffer.from(`\x03${i}\0`, 'latin1'), document]);
  const ns = Buffer.from(BSON.serialize({ ns: `bench.${collection}` })).subarray(4, -1);
  const head = Buffer.from(`\x04${isFirst ? 'firstBatch' : 'nextBatch'}\0`, 'latin1');
  const id = Buffer.from('\x12id\0', 'latin1');
  const array = wrap(parts);
  const cursor = wrap([head, array, id, Buffer.alloc(8), ns]);
  const ok = Buffer.from(BSON.serialize({ ok: 1 })).subarray(4, -1);
  const name = Buffer.from('\x03cursor\0', 'latin1');
  const arrayAt = 4 + name.length + 4 + head.length;
  let at = arrayAt + 4;
  const starts = documents.map((document, i) => {
    const start = at + 2 + String(i).length;
    at = start + document.length;
    return start;
  });
  return { reply: wrap([name, cursor, ok]), starts, idAt: arrayAt + array.length + id.length };
}

function wrap(parts: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(4), ...parts, Buffer.alloc(1)]);
  bytes.writeInt32LE(bytes.length);
  return bytes;
}
