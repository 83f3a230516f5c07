import type { Document } from 'mongodb';
import { SourceError } from '../../errors.ts';
import { bsonTypes, elementsOf, findElement, stringOf, textOf } from '../bson-bytes.ts';
import { documentIn } from '../bson-values.ts';
import type { MongoConnection } from '../connection.ts';
import { optionsLeft, optionsOf } from '../create-collection.ts';
import { isAtLeast } from '../data-place.ts';
import { mongoCodeOf, mongoErrorCodes } from '../mongo-error.ts';
import { isDumpedCollection, isDumpedDatabase } from '../namespaces.ts';
import { orderedDocument } from '../ordered-document.ts';
import { type RestorePlan, splitNamespace } from '../restore-plan.ts';
import type { OplogOperation } from './oplog-entry.ts';
import { cannot, type DocumentPlace } from './replayed-documents.ts';
import type { ReplayedIndexes } from './replayed-indexes.ts';
import { commandOf } from './transactions.ts';

/** A collection that came with the dump or with the replay: only such ones are changed. */
export interface ReplayedCollection {
  database: string;
  name: string;
  uuid: string | undefined;
  hasCollation: boolean;
}

export interface ReplayedCommandsOptions {
  connection: MongoConnection;
  plan: RestorePlan;
  /** What the dump was taken of. */
  choice: Parameters<typeof isDumpedCollection>[2];
  indexes: ReplayedIndexes;
  onMisfit(operation: OplogOperation, reason: string): void;
}

/** What happens inside a server, or is made anew by one. */
const ignoredCommands = new Set([
  'startIndexBuild',
  'abortIndexBuild',
  'setMultikeyMetadata',
  'dropIdent',
  'dbCheck',
  'createDatabaseMetadata',
  'dropDatabaseMetadata',
]);

const bucketsPrefix = 'system.buckets.';

/**
 * Replays what makes, changes and takes away collections, and knows where each one is in the target. Source: the oplog's
 * commands as mongorestore and the server apply them.
 */
export class ReplayedCommands {
  /** Namespace in the source → where it is in the target. */
  readonly #collections = new Map<string, ReplayedCollection>();
  readonly #options: ReplayedCommandsOptions;

  constructor(options: ReplayedCommandsOptions) {
    this.#options = options;
    for (const { manifest, database, name } of options.plan.collections)
      if (manifest.type !== 'view')
        this.#collections.set(`${manifest.database}.${manifest.name}`, {
          database,
          name,
          uuid: manifest.uuid,
          hasCollation: optionsOf(manifest.info).has('collation'),
        });
  }

  /** The collection of a namespace, a time series also by that of its buckets. */
  collectionOf(namespace: string): ReplayedCollection | undefined {
    return this.#collections.get(logical(namespace));
  }

  /**
   * Where the documents of a namespace go; undefined when they are not wanted.
   * @throws SourceError 'sources.target' rather than write into a collection that was there before
   */
  async placeOf(namespace: string): Promise<DocumentPlace | undefined> {
    const isBuckets = isOfBuckets(namespace);
    const found = this.collectionOf(namespace) ?? (await this.#adopt(namespace));
    if (!found) return undefined;
    const isViewless = isAtLeast(this.#options.connection.server, [8, 3]);
    const collection = isBuckets && !isViewless ? `${bucketsPrefix}${found.name}` : found.name;
    return { database: found.database, collection, isBuckets };
  }

  /** @throws SourceError 'sources.oplog' for a command that is not known */
  async apply(operation: OplogOperation): Promise<void> {
    const command = commandOf(operation);
    if (ignoredCommands.has(command)) return;
    const database = operation.namespace.slice(0, operation.namespace.indexOf('.'));
    const apply = this.#commands[command];
    if (!apply) throw cannot(operation, `the command ${command} is not known`);
    await apply(operation, database);
  }

  readonly #commands: Record<string, (operation: OplogOperation, database: string) => Promise<void> | void> =
    {
      create: (operation, database) => this.#create(operation, `${database}.${nameIn(operation)}`),
      drop: (operation, database) => this.#drop(operation, `${database}.${nameIn(operation)}`),
      dropDatabase: async (_, database) => {
        for (const namespace of [...this.#collections.keys()])
          if (namespace.startsWith(`${database}.`)) await this.#remove(namespace);
      },
      renameCollection: (operation) => this.#rename(operation),
      convertToCapped: (operation, database) => this.#modify(operation, `${database}.${nameIn(operation)}`),
      collMod: (operation, database) => this.#modify(operation, `${database}.${nameIn(operation)}`),
      createIndexes: (operation, database) => {
        const spec = orderedDocument(operation.o);
        spec.delete('createIndexes');
        this.#addIndexes(`${database}.${nameIn(operation)}`, [spec]);
      },
      commitIndexBuild: (operation, database) => {
        const list = findElement(operation.o, 'indexes');
        if (list?.type !== bsonTypes.array) throw cannot(operation, 'it names no indexes');
        const specs = [...elementsOf(list.value)].map(({ value }) => orderedDocument(value));
        this.#addIndexes(`${database}.${nameIn(operation)}`, specs);
      },
      dropIndexes: (operation, database) => this.#dropIndexes(operation, database),
      dropIndex: (operation, database) => this.#dropIndexes(operation, database),
      deleteIndexes: (operation, database) => this.#dropIndexes(operation, database),
      deleteIndex: (operation, database) => this.#dropIndexes(operation, database),
    };

  #target(namespace: string): { database: string; name: string } | undefined {
    const { plan, choice } = this.#options;
    const { database, name } = splitNamespace(namespace);
    if (!isDumpedDatabase(database, choice) || !isDumpedCollection(database, name, choice)) return undefined;
    return plan.targetOf(namespace);
  }

  /** Servers tell of a new collection first; a compatible one may not. */
  async #adopt(namespace: string): Promise<ReplayedCollection | undefined> {
    const target = this.#target(logical(namespace));
    if (!target) return undefined;
    await assertFree(this.#options.connection, target);
    return this.#track(namespace, { ...target, uuid: undefined, hasCollation: false });
  }

  #track(namespace: string, collection: ReplayedCollection): ReplayedCollection {
    this.#collections.set(logical(namespace), collection);
    return collection;
  }

  async #create(operation: OplogOperation, namespace: string): Promise<void> {
    const target = this.#target(logical(namespace));
    if (!target) return;
    const there = this.collectionOf(namespace);
    if (there) {
      this.#options.onMisfit(operation, 'a collection was created that was there');
      if (there.uuid === operation.uuid) return;
      await this.#remove(namespace);
    }
    await assertFree(this.#options.connection, target);
    const options = orderedDocument(operation.o);
    const hasCollation = options.has('collation');
    // A server makes the buckets of a time series by itself.
    const left = options.has('timeseries') ? ['validator', 'clusteredIndex'] : [];
    // `temp` is for servers among themselves.
    for (const name of ['create', 'idIndex', 'temp', ...optionsLeft, ...left]) options.delete(name);
    await this.#run(operation, target.database, { create: target.name, ...Object.fromEntries(options) });
    this.#track(namespace, { ...target, uuid: operation.uuid, hasCollation });
  }

  async #drop(operation: OplogOperation, namespace: string): Promise<void> {
    if (this.collectionOf(namespace)) await this.#remove(namespace);
    else if (this.#target(logical(namespace)))
      this.#options.onMisfit(operation, 'a collection was dropped that was not there');
  }

  async #remove(namespace: string): Promise<void> {
    const { database, name } = this.collectionOf(namespace)!;
    try {
      await this.#options.connection.command(database, { drop: name }, `cannot drop ${database}.${name}`);
    } catch (error) {
      // One that never got a document need not be there.
      if (mongoCodeOf(error) !== mongoErrorCodes.namespaceNotFound) throw error;
    }
    this.#collections.delete(logical(namespace));
    this.#options.indexes.forget(namespace);
  }

  async #rename(operation: OplogOperation): Promise<void> {
    const [from, to] = ['renameCollection', 'to'].map((name) => textOf(operation.o, name) ?? '');
    const there = this.collectionOf(from!);
    const target = this.#target(to!);
    if (!there) {
      if (!target) return;
      if (!this.collectionOf(to!)) throw cannot(operation, `${from} does not belong to this restore`);
      this.#options.onMisfit(operation, 'a collection was renamed that had its new name already');
      return;
    }
    if (!target) return this.#remove(from!);
    if (this.collectionOf(to!)) await this.#remove(to!);
    else await assertFree(this.#options.connection, target);
    const names = {
      renameCollection: `${there.database}.${there.name}`,
      to: `${target.database}.${target.name}`,
    };
    await this.#run(operation, 'admin', names);
    this.#collections.delete(from!);
    this.#track(to!, { ...there, ...target });
    this.#options.indexes.move(from!, to!);
  }

  async #modify(operation: OplogOperation, namespace: string): Promise<void> {
    const there = this.collectionOf(namespace);
    if (!there) {
      if (this.#target(logical(namespace)))
        this.#options.onMisfit(operation, 'a collection was changed that was not there');
      return;
    }
    const options = orderedDocument(operation.o);
    const command = commandOf(operation);
    const index = documentIn(operation.o, 'index');
    if (index && !this.#options.indexes.modify(namespace, index))
      this.#options.onMisfit(operation, 'an index was changed that was not there');
    options.delete(command);
    options.delete('index');
    if (options.size === 0) return;
    await this.#run(operation, there.database, { [command]: there.name, ...Object.fromEntries(options) });
  }

  #addIndexes(namespace: string, specs: readonly Map<string, unknown>[]): void {
    if (this.collectionOf(namespace)) this.#options.indexes.set(namespace, specs);
  }

  #dropIndexes(operation: OplogOperation, database: string): void {
    const which = orderedDocument(operation.o).get('index');
    this.#options.indexes.drop(`${database}.${nameIn(operation)}`, which);
  }

  async #run(operation: OplogOperation, database: string, command: Document): Promise<void> {
    try {
      await this.#options.connection.command(database, command, 'the target refuses it');
    } catch (error) {
      if (mongoCodeOf(error) === undefined) throw error;
      throw cannot(operation, (error as Error).message);
    }
  }
}

export function isOfBuckets(namespace: string): boolean {
  return splitNamespace(namespace).name.startsWith(bucketsPrefix);
}

/** The name by which users know it. */
function logical(namespace: string): string {
  if (!isOfBuckets(namespace)) return namespace;
  const { database, name } = splitNamespace(namespace);
  return `${database}.${name.slice(bucketsPrefix.length)}`;
}

/** The collection that a command names: its first field. */
function nameIn(operation: OplogOperation): string {
  const first = elementsOf(operation.o).next().value;
  if (first?.type !== bsonTypes.string) throw cannot(operation, 'it names no collection');
  return stringOf(first.value);
}

async function assertFree(
  connection: MongoConnection,
  { database, name }: { database: string; name: string },
): Promise<void> {
  const found = await connection.db(database).listCollections({ name }, { nameOnly: true }).toArray();
  if (!found.some((one) => one.name === name)) return;
  throw new SourceError(
    'sources.target',
    `the oplog makes a collection ${database}.${name}, which the target has`,
    {
      hint: 'Restore under another name with --ns-from and --ns-to.',
    },
  );
}
