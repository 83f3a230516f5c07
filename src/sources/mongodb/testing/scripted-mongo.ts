import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { BSON, type Document, Timestamp } from 'mongodb';
import { elementsOf, findElement } from '../bson-bytes.ts';
import { type RawField, rawArray, rawDocument, rawField } from './raw-document.ts';
import { afterInOplog, findInOplog, lastWriteOf, type ScriptedOplog } from './scripted-oplog.ts';
import { sampled, within } from './scripted-ranges.ts';
import { deleteDocuments, insertDocuments, updateDocuments, withIds } from './scripted-writes.ts';

/** A collection of the scripted server: raw documents, and what the listings tell of it. */
export interface ScriptedCollection {
  documents: Uint8Array[];
  type?: string;
  uuid?: string;
  options?: Document;
  indexes?: Document[];
}

export interface Script {
  version?: string;
  wireVersion?: number;
  /** Makes it a member of a replica set. */
  setName?: string;
  /** What becomes of snapshot reads: honoured at `snapshotTime`, or accepted and ignored. */
  snapshots?: 'honoured' | 'ignored';
  /** What `local.oplog.rs` holds. */
  oplog?: ScriptedOplog;
  /** What becomes of `min` and `max`: honoured for ids that are numbers, or ignored. */
  bounds?: 'honoured' | 'ignored';
  /** By database and name. */
  databases: Map<string, Map<string, ScriptedCollection>>;
  /** Answers a command otherwise: with a reply, by closing the connection, or (undefined) as usual. */
  intercept?(command: Document, database: string): Document | 'close' | undefined;
}

export interface ScriptedMongo {
  url: string;
  port: number;
  /** Names of all commands, in order. */
  commands: string[];
  stop(): Promise<void>;
}

export const snapshotTime = new Timestamp({ t: 1_700_000_000, i: 5 });

const opcodes = { reply: 1, query: 2004, message: 2013 };
const batchCount = 3;

/**
 * A server that speaks MongoDB's wire protocol as far as a dump and a restore need it, in memory, to play what
 * compatible servers cannot: snapshot reads, views, time series, refusals, and connections that die. Shapes are those of
 * the MongoDB documentation; it proves our side of the conversation, not the server's.
 */
export async function startScriptedMongo(script: Script): Promise<ScriptedMongo> {
  const commands: string[] = [];
  const sockets = new Set<Socket>();
  const player = new Player(script, commands);
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    serve(socket, player);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  player.port = port;
  return {
    url: `mongodb://127.0.0.1:${port}/?directConnection=true&serverSelectionTimeoutMS=1000`,
    port,
    commands,
    async stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}

/** Cuts the stream into messages; answers each in turn. */
function serve(socket: Socket, player: Player): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (piece: Buffer) => {
    rest = Buffer.concat([rest, piece]);
    while (rest.length >= 4 && rest.length >= rest.readInt32LE(0)) {
      const message = rest.subarray(0, rest.readInt32LE(0));
      rest = rest.subarray(message.length);
      const answer = player.answer(message);
      if (answer === 'close') return void socket.destroy();
      socket.write(answer);
    }
  });
}

interface Cursor {
  namespace: string;
  documents: Uint8Array[];
  /** Of one that waits for new entries of the oplog: the last that was sent. */
  tail?: { last: Uint8Array | undefined } | undefined;
}

class Player {
  port = 0;
  readonly #script: Script;
  readonly #commands: string[];
  readonly #cursors = new Map<bigint, Cursor>();
  #cursorCount = 0n;

  constructor(script: Script, commands: string[]) {
    this.#script = script;
    this.#commands = commands;
  }

  answer(message: Buffer): Buffer | 'close' {
    const requestId = message.readInt32LE(4);
    if (message.readInt32LE(12) === opcodes.query) {
      const body = Buffer.concat([
        Buffer.alloc(16),
        Buffer.from([1, 0, 0, 0]),
        BSON.serialize(this.#hello()),
      ]);
      return header(body, requestId, opcodes.reply);
    }
    const command = parseMessage(message);
    const database = String(command.$db);
    this.#commands.push(Object.keys(command)[0]!);
    const given = this.#script.intercept?.(command, database);
    if (given === 'close') return 'close';
    const reply = given ? Buffer.from(BSON.serialize(given)) : this.#reply(command, database);
    return header(Buffer.concat([Buffer.alloc(5), reply]), requestId, opcodes.message);
  }

  #hello(): Document {
    const { setName, oplog, wireVersion = 13 } = this.#script;
    const host = `127.0.0.1:${this.port}`;
    return {
      ismaster: true,
      isWritablePrimary: true,
      ...(setName ? { setName, hosts: [host], me: host, primary: host } : {}),
      ...(oplog ? lastWriteOf(oplog) : {}),
      maxWireVersion: wireVersion,
      minWireVersion: 0,
      maxBsonObjectSize: 16 * 1024 * 1024,
      maxMessageSizeBytes: 48_000_000,
      maxWriteBatchSize: 100_000,
      logicalSessionTimeoutMinutes: 30,
      ok: 1,
    };
  }

  #reply(command: Document, database: string): Buffer {
    const name = Object.keys(command)[0]!;
    const play = this.#plays[name];
    const reply = play?.(command, database) ?? {
      ok: 0,
      code: 59,
      codeName: 'CommandNotFound',
      errmsg: `no such command: '${name}'`,
    };
    return Buffer.isBuffer(reply) ? reply : Buffer.from(BSON.serialize(reply));
  }

  readonly #plays: Record<string, (command: Document, database: string) => Document | Buffer | undefined> = {
    hello: () => this.#hello(),
    ismaster: () => this.#hello(),
    buildInfo: () => ({ version: this.#script.version ?? '7.0.0', ok: 1 }),
    ping: () => ({ ok: 1 }),
    endSessions: () => ({ ok: 1 }),
    killCursors: () => ({ ok: 1 }),
    listDatabases: () => ({
      databases: [...this.#script.databases.keys()].map((name) => ({ name, sizeOnDisk: 1, empty: false })),
      ok: 1,
    }),
    listCollections: ({ filter }, database) =>
      this.#cursor(`${database}.$cmd.listCollections`, this.#infos(database, filter?.name)),
    listIndexes: (command, database) => {
      const { indexes = [] } = this.#find(database, command.listIndexes) ?? {};
      const specs = [{ v: 2, key: { _id: 1 }, name: '_id_' }, ...indexes];
      return this.#cursor(
        `${database}.${command.listIndexes}`,
        specs.map((one) => BSON.serialize(one)),
      );
    },
    count: (command, database) => ({ n: this.#find(database, command.count)?.documents.length ?? 0, ok: 1 }),
    find: (command, database) => this.#read(command, database),
    aggregate: (command, database) => {
      const documents = this.#find(database, command.aggregate)?.documents ?? [];
      const [first] = command.pipeline as Document[];
      const size = documents.reduce((sum, { length }) => sum + length, 0);
      const answer = first!.$collStats
        ? [BSON.serialize({ storageStats: { size } })]
        : sampled(documents, Number(first!.$sample.size));
      return this.#cursor(`${database}.${command.aggregate}`, answer);
    },
    getMore: (command) => {
      const cursor = this.#cursors.get(BigInt(command.getMore.toString()))!;
      const { oplog } = this.#script;
      if (cursor.tail && oplog && cursor.documents.length === 0)
        cursor.documents = afterInOplog(oplog, cursor.tail.last);
      return this.#batch(cursor, { key: 'nextBatch', count: batchCount });
    },
    drop: (command, database) => {
      this.#script.databases.get(database)?.delete(command.drop);
      return { ok: 1 };
    },
    create: (command, database) => {
      const { create, lsid: _, $db, $clusterTime, ...options } = command;
      this.#make(database, create, { documents: [], ...(options.viewOn ? { type: 'view' } : {}), options });
      return { ok: 1 };
    },
    createIndexes: (command, database) => {
      const collection = this.#find(database, command.createIndexes)!;
      collection.indexes = [...(collection.indexes ?? []), ...command.indexes];
      return { ok: 1 };
    },
    update: (command, database) => {
      const found = this.#find(database, command.update);
      const collection = found ?? this.#make(database, command.update, { documents: [] });
      return updateDocuments(collection, command.updates);
    },
    delete: (command, database) => deleteDocuments(this.#find(database, command.delete), command.deletes),
    renameCollection: ({ renameCollection, to }) => {
      const [from, target] = [renameCollection, to].map((name) => name.split('.'));
      const moved = this.#find(from[0], from[1])!;
      this.#script.databases.get(from[0])!.delete(from[1]);
      this.#make(target[0], target[1], moved);
      return { ok: 1 };
    },
    collMod: ({ collMod, lsid: _, $db, $clusterTime, ...options }, database) => {
      const collection = this.#find(database, collMod)!;
      collection.options = { ...collection.options, ...options };
      return { ok: 1 };
    },
    insert: (command, database) => {
      const documents = command.documents as Uint8Array[];
      const collection =
        this.#find(database, command.insert) ?? this.#make(database, command.insert, { documents: [] });
      return insertDocuments(collection, documents);
    },
  };

  #find(database: string, name: string): ScriptedCollection | undefined {
    return this.#script.databases.get(database)?.get(name);
  }

  #make(database: string, name: string, collection: ScriptedCollection): ScriptedCollection {
    const { databases } = this.#script;
    if (!databases.has(database)) databases.set(database, new Map());
    databases.get(database)!.set(name, collection);
    return collection;
  }

  #infos(database: string, only?: string): Uint8Array[] {
    const collections = this.#script.databases.get(database) ?? new Map<string, ScriptedCollection>();
    const listed = [...collections].filter(([name]) => only === undefined || name === only);
    return listed.map(([name, { type = 'collection', uuid, options = {} }]) =>
      BSON.serialize({
        name,
        type,
        options,
        info: { readOnly: type === 'view', ...(uuid ? { uuid: new BSON.UUID(uuid) } : {}) },
      }),
    );
  }

  #read(command: Document, database: string): Document | Buffer {
    const { oplog } = this.#script;
    if (database === 'local' && command.find === 'oplog.rs' && oplog) {
      const found = findInOplog(oplog, command);
      const tail = command.tailable && found.length > 0 ? { last: undefined } : undefined;
      return this.#cursor('local.oplog.rs', found, { tail });
    }
    const documents = this.#find(database, command.find)?.documents ?? [];
    const time = this.#timeOf(command);
    if (time === 'too old')
      return { ok: 0, code: 239, codeName: 'SnapshotTooOld', errmsg: 'Read timestamp is too old' };
    const ids = command.filter?._id?.$in as unknown[] | undefined;
    if (ids) return this.#cursor(`${database}.${command.find}`, withIds(documents, ids));
    const bounded =
      command.hint?._id && this.#script.bounds === 'honoured' ? within(documents, command) : documents;
    const wanted =
      command.sort?._id === -1 ? bounded.slice(-1) : bounded.slice(0, command.limit || undefined);
    return this.#cursor(`${database}.${command.find}`, wanted, {
      time,
      count: Number(command.batchSize ?? 101),
    });
  }

  #timeOf({ readConcern }: Document): Timestamp | 'too old' | undefined {
    if (readConcern?.level !== 'snapshot' || this.#script.snapshots !== 'honoured') return undefined;
    const at = readConcern.atClusterTime as Timestamp | undefined;
    return at && at.t < snapshotTime.t ? 'too old' : (at ?? snapshotTime);
  }

  #cursor(
    namespace: string,
    documents: readonly Uint8Array[],
    { time, tail, count = 101 }: { time?: Timestamp | undefined; tail?: Cursor['tail']; count?: number } = {},
  ): Buffer {
    const cursor: Cursor = { namespace, documents: [...documents], ...(tail ? { tail } : {}) };
    return this.#batch(cursor, { key: 'firstBatch', count: Math.min(count, batchCount * 10), time });
  }

  #batch(
    cursor: Cursor,
    { key, count, time }: { key: string; count: number; time?: Timestamp | undefined },
  ): Buffer {
    const documents = cursor.documents.splice(0, count);
    const { tail } = cursor;
    if (tail) tail.last = documents.at(-1) ?? tail.last;
    const id = tail || cursor.documents.length > 0 ? ++this.#cursorCount : 0n;
    if (id > 0n) this.#cursors.set(id, cursor);
    const fields: RawField[] = [
      rawArray(key, documents),
      rawField('id', BSON.Long.fromBigInt(id)),
      rawField('ns', cursor.namespace),
      ...(time ? [rawField('atClusterTime', time)] : []),
    ];
    return rawDocument([{ name: 'cursor', type: 0x03, value: rawDocument(fields) }, rawField('ok', 1)]);
  }
}

/** The command of an OP_MSG; a section of documents comes into it as raw documents. */
function parseMessage(message: Buffer): Document {
  let command: Document = {};
  const sequences = new Map<string, Uint8Array[]>();
  for (let at = 20; at < message.length; ) {
    const length = message.readInt32LE(at + 1);
    const section = message.subarray(at + 1, at + 1 + length);
    if (message[at] === 0) {
      // Names like numbers must stay in order: only what the script looks at passes through an object.
      command = BSON.deserialize(section);
      for (const { name } of elementsOf(section))
        if (name === 'indexes') command.indexes = indexesOf(section);
    } else {
      const nameEnd = section.indexOf(0, 4);
      const documents: Uint8Array[] = [];
      for (let from = nameEnd + 1; from < section.length; from += section.readInt32LE(from))
        documents.push(Buffer.from(section.subarray(from, from + section.readInt32LE(from))));
      sequences.set(section.toString('utf8', 4, nameEnd), documents);
    }
    at += 1 + length;
  }
  return Object.assign(command, Object.fromEntries(sequences));
}

function indexesOf(section: Uint8Array): Document[] {
  return [...elementsOf(findElement(section, 'indexes')!.value)].map(({ value }) => BSON.deserialize(value));
}

function header(message: Buffer, responseTo: number, opcode: number): Buffer {
  const head = Buffer.alloc(16);
  head.writeInt32LE(16 + message.length, 0);
  head.writeInt32LE(responseTo, 8);
  head.writeInt32LE(opcode, 12);
  return Buffer.concat([head, message]);
}
