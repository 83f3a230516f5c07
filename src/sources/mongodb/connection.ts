import {
  type Db,
  type Document,
  MongoClient,
  type MongoClientOptions,
  MongoParseError,
  type ReadPreference,
} from 'mongodb';
import { SourceError } from '../errors.ts';
import { mongoError } from './mongo-error.ts';
import { type MongoUrl, parseMongoUrl } from './mongo-url.ts';

/** 'unknown': nobody told, as of a dump that came as an archive. */
type Topology = 'standalone' | 'replica set' | 'sharded' | 'unknown';

/** What a deployment is; texts are as the server gives them. */
export interface ServerFacts {
  version: string;
  topology: Topology;
  setName?: string;
  /** featureCompatibilityVersion, where the server tells it. */
  featureCompatibility?: string;
  wireVersion: number;
  documentBytesMax: number;
  messageBytesMax: number;
  writesMax: number;
}

/** How long a server may take to be found, unless the URL says otherwise. */
const selectionMsMax = 10_000;

/** An opened deployment. Every error that leaves it is a SourceError without secrets. */
export class MongoConnection {
  readonly url: MongoUrl;
  readonly client: MongoClient;
  readonly server: ServerFacts;

  private constructor(url: MongoUrl, client: MongoClient, server: ServerFacts) {
    this.url = url;
    this.client = client;
    this.server = server;
  }

  /** @throws SourceError 'sources.location' | 'sources.unreachable' | 'sources.login' */
  static async open(text: string, options: { isWriting?: boolean } = {}): Promise<MongoConnection> {
    const url = parseMongoUrl(text);
    const client = newClient(url, options);
    try {
      await client.connect();
      return new MongoConnection(url, client, await serverFacts(client.db('admin')));
    } catch (error) {
      await client.close();
      throw mongoError(error, `cannot connect to MongoDB at ${url.hosts.join(', ')}`, url);
    }
  }

  /** Commands do not inherit it from the client by themselves. */
  get readPreference(): ReadPreference {
    return this.client.readPreference;
  }

  /** For cursors that yield documents as bytes. */
  get rawReads(): { raw: true; readPreference: ReadPreference } {
    return { raw: true, readPreference: this.readPreference };
  }

  db(name: string): Db {
    return this.client.db(name);
  }

  /** Runs a command. `what` says in an error what could not be done. */
  async command(db: string, command: Document, what: string): Promise<Document> {
    try {
      return await this.db(db).command(command, { readPreference: this.readPreference });
    } catch (error) {
      throw mongoError(error, what, this.url);
    }
  }

  /** The same where a server may not know the command, or the user may not give it. */
  async tryCommand(
    db: string,
    command: Document,
    readPreference = this.readPreference,
  ): Promise<Document | undefined> {
    try {
      return await this.db(db).command(command, { readPreference });
    } catch {
      return undefined;
    }
  }

  /** All documents that a command's cursor yields, as bytes. */
  async rawDocuments(db: string, command: Document, what: string): Promise<Uint8Array[]> {
    try {
      const cursor = this.db(db).runCursorCommand(command, this.rawReads);
      const documents: Uint8Array[] = [];
      // A view would keep the whole reply alive.
      for await (const document of cursor) documents.push(Buffer.from(document as unknown as Uint8Array));
      return documents;
    } catch (error) {
      throw mongoError(error, what, this.url);
    }
  }

  async close(): Promise<void> {
    await this.client.close();
  }
}

function newClient(url: MongoUrl, { isWriting = false }: { isWriting?: boolean }): MongoClient {
  const has = (name: string): boolean => url.options.has(name.toLowerCase());
  const options: MongoClientOptions = {
    ...(has('appName') ? {} : { appName: 'holdfast' }),
    ...(has('serverSelectionTimeoutMS') ? {} : { serverSelectionTimeoutMS: selectionMsMax }),
    ...(has('readPreference') || isWriting ? {} : { readPreference: 'secondaryPreferred' as const }),
    ...(isWriting && !has('w') ? { writeConcern: { w: 'majority' as const } } : {}),
  };
  try {
    return new MongoClient(url.secret, options);
  } catch (error) {
    const reason = error instanceof MongoParseError ? `: ${url.redact(error.message)}` : '';
    throw new SourceError('sources.location', `the MongoDB URL cannot be used${reason}`, {
      hint: 'Check the options after the question mark.',
    });
  }
}

async function serverFacts(admin: Db): Promise<ServerFacts> {
  // Old and compatible servers know only the old name.
  const hello = await admin.command({ hello: 1 }).catch(() => admin.command({ isMaster: 1 }));
  const { version } = await admin.command({ buildInfo: 1 });
  const parameters = await admin
    .command({ getParameter: 1, featureCompatibilityVersion: 1 })
    .catch(() => undefined);
  const featureCompatibility = parameters?.featureCompatibilityVersion?.version;
  return {
    version: String(version),
    topology: hello.msg === 'isdbgrid' ? 'sharded' : hello.setName ? 'replica set' : 'standalone',
    ...(hello.setName ? { setName: String(hello.setName) } : {}),
    ...(featureCompatibility ? { featureCompatibility: String(featureCompatibility) } : {}),
    wireVersion: Number(hello.maxWireVersion ?? 0),
    documentBytesMax: Number(hello.maxBsonObjectSize ?? 16 * 1024 * 1024),
    messageBytesMax: Number(hello.maxMessageSizeBytes ?? 48_000_000),
    writesMax: Number(hello.maxWriteBatchSize ?? 1000),
  };
}
