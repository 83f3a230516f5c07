import { messageOf } from '#base';
import { textOf } from '../bson-bytes.ts';
import { documentIn, type OplogTime } from '../bson-values.ts';
import type { MongoConnection } from '../connection.ts';
import { buildIndexes, specsToBuild } from '../create-collection.ts';
import { isUnreachable } from '../mongo-error.ts';
import type { DumpChoice } from '../namespaces.ts';
import { orderedDocument } from '../ordered-document.ts';
import type { RestorePlan } from '../restore-plan.ts';
import type { OplogEntry, OplogOperation } from './oplog-entry.ts';
import { compareTimes, describeTime } from './oplog-time.ts';
import { isKnownUpdate, isReplacement, patchDocument } from './patch-document.ts';
import { isOfBuckets, ReplayedCommands } from './replayed-commands.ts';
import { cannot, ReplayedDocuments } from './replayed-documents.ts';
import { ReplayedIndexes } from './replayed-indexes.ts';
import { Transactions } from './transactions.ts';

export interface ReplayOptions {
  plan: RestorePlan;
  /** What the dump was taken of. */
  choice: DumpChoice;
  /** Until then the dump is of many times: what does not fit is no fault. */
  consistentAt: OplogTime;
  onProblem(problem: { path: string; error: Error; gravity: 'lost' | 'odd' }): void;
  onBytes?: ((count: number) => void) | undefined;
  signal: AbortSignal;
}

/** What a replay did; every entry and every operation is in one of the numbers. */
export interface ReplayCounts {
  entries: number;
  inserts: number;
  updates: number;
  deletes: number;
  commands: number;
  /** What the server notes for itself, and what is not wanted. */
  leftOut: number;
  /** Transactions that were neither committed nor aborted at the end: nothing of them is there. */
  openTransactions: number;
  /** Changes that did not fit what was there. */
  misfits: number;
  indexes: number;
  views: number;
  /** Of the last entry. */
  last: OplogTime | undefined;
}

/** Changes that are gathered before they are written. */
const gatheredMax = 2000;
const gatheredBytesMax = 16 * 1024 * 1024;

/**
 * Replays entries, in order, over a dump that was restored without indexes; then builds the indexes and makes the views.
 * @throws SourceError 'sources.oplog' at an entry that cannot be replayed, 'sources.target', …
 */
export async function replayOplog(
  connection: MongoConnection,
  entries: AsyncIterable<OplogEntry>,
  options: ReplayOptions,
): Promise<ReplayCounts> {
  const replay = new Replay(connection, options);
  const transactions = new Transactions();
  for await (const entry of entries) {
    options.signal.throwIfAborted();
    options.onBytes?.(entry.bytes.length);
    replay.counts.entries++;
    replay.counts.last = entry.time;
    for (const operation of transactions.due(entry)) await replay.apply(operation);
  }
  replay.counts.openTransactions = transactions.openCount;
  await replay.finish();
  return replay.counts;
}

class Replay {
  readonly counts: ReplayCounts = {
    entries: 0,
    inserts: 0,
    updates: 0,
    deletes: 0,
    commands: 0,
    leftOut: 0,
    openTransactions: 0,
    misfits: 0,
    indexes: 0,
    views: 0,
    last: undefined,
  };
  readonly #connection: MongoConnection;
  readonly #options: ReplayOptions;
  readonly #indexes = new ReplayedIndexes();
  readonly #commands: ReplayedCommands;
  /** Namespace → the view's document in `system.views`; undefined when it was dropped. */
  readonly #views = new Map<string, Uint8Array | undefined>();
  readonly #misfits = new Map<string, { count: number; first: string }>();
  #gathered = new Map<string, ReplayedDocuments>();
  #gatheredCount = 0;
  #gatheredBytes = 0;
  #isConsistent = false;

  constructor(connection: MongoConnection, options: ReplayOptions) {
    this.#connection = connection;
    this.#options = options;
    for (const { manifest } of options.plan.collections) {
      const namespace = `${manifest.database}.${manifest.name}`;
      const listed = manifest.indexes.map((text) => orderedDocument(Buffer.from(text, 'base64')));
      this.#indexes.set(namespace, listed);
      const view = manifest.type === 'view' && documentIn(Buffer.from(manifest.info, 'base64'), 'options');
      if (view) this.#views.set(namespace, view);
    }
    this.#commands = new ReplayedCommands({
      ...options,
      connection,
      indexes: this.#indexes,
      onMisfit: (operation, reason) => this.#noteMisfit(operation, reason),
    });
  }

  async apply(operation: OplogOperation): Promise<void> {
    if (!this.#isConsistent && compareTimes(operation.time, this.#options.consistentAt) > 0) {
      // What came before may not fit; what comes now must.
      await this.#flush();
      this.#isConsistent = true;
    }
    const { op, namespace } = operation;
    if (op === 'c') {
      await this.#flush();
      await this.#commands.apply(operation);
      this.counts.commands++;
    } else if (!['i', 'u', 'd'].includes(op)) this.counts.leftOut++;
    else if (namespace.endsWith('.system.views')) this.#noteView(operation);
    else if (op === 'u' && !isKnownUpdate(operation.o)) await this.#leaveToServer(operation);
    else await this.#gather(operation);
  }

  /** Writes what is left, builds the indexes and makes the views. */
  async finish(): Promise<void> {
    await this.#flush();
    for (const [namespace, specs] of this.#indexes.all()) await this.#build(namespace, specs);
    await this.#makeViews();
    for (const [path, { count, first }] of this.#misfits) {
      const more = count > 1 ? `, and ${count - 1} more like it` : '';
      this.#options.onProblem({ path, error: new Error(`${first}${more}`), gravity: 'odd' });
    }
  }

  async #gather(operation: OplogOperation): Promise<void> {
    const { op, namespace, o } = operation;
    let documents = this.#gathered.get(namespace);
    if (!documents) {
      const place = await this.#commands.placeOf(namespace);
      if (!place) {
        this.counts.leftOut++;
        return;
      }
      documents = new ReplayedDocuments(this.#connection, place);
      this.#gathered.set(namespace, documents);
    }
    documents.add(operation);
    this.counts[op === 'i' ? 'inserts' : op === 'u' ? 'updates' : 'deletes']++;
    this.#gatheredBytes += o.length;
    if (++this.#gatheredCount >= gatheredMax || this.#gatheredBytes >= gatheredBytesMax) await this.#flush();
  }

  /** What is not understood here goes to the server as it is, in the one command that takes it. */
  async #leaveToServer(operation: OplogOperation): Promise<void> {
    const { namespace, o, o2 } = operation;
    await this.#flush();
    const place = await this.#commands.placeOf(namespace);
    if (!place) {
      this.counts.leftOut++;
      return;
    }
    const entry = {
      op: 'u',
      ns: `${place.database}.${place.collection}`,
      o: orderedDocument(o),
      ...(o2 ? { o2: orderedDocument(o2) } : {}),
    };
    try {
      await this.#connection.command(
        'admin',
        { applyOps: [entry] },
        'the target does not take it by applyOps',
      );
    } catch (error) {
      if (isUnreachable(error)) throw error;
      throw cannot(operation, messageOf(error));
    }
    this.counts.updates++;
  }

  async #flush(): Promise<void> {
    const gathered = [...this.#gathered.values()];
    this.#gathered = new Map();
    this.#gatheredCount = 0;
    this.#gatheredBytes = 0;
    for (const documents of gathered)
      for (const { operation, reason } of await documents.flush()) this.#noteMisfit(operation, reason);
  }

  #noteMisfit({ time, namespace }: OplogOperation, reason: string): void {
    if (!this.#isConsistent) return;
    this.counts.misfits++;
    const before = this.#misfits.get(namespace);
    if (before) before.count++;
    else this.#misfits.set(namespace, { count: 1, first: `${reason} (${describeTime(time)})` });
  }

  /** A view is a document; that of a time series comes with its buckets. */
  #noteView(operation: OplogOperation): void {
    const { op, o, o2 } = operation;
    this.counts.commands++;
    const namespace = textOf(op === 'u' ? (o2 ?? o) : o, '_id') ?? '';
    const before = this.#views.get(namespace);
    if (op === 'd') this.#views.set(namespace, undefined);
    else if (op === 'u' && !isReplacement(o)) {
      if (before) this.#views.set(namespace, patchDocument(before, o).document);
      else this.#noteMisfit(operation, 'a view was changed that was not there');
    } else if (!textOf(o, 'viewOn')?.startsWith('system.buckets.')) this.#views.set(namespace, o);
  }

  async #build(namespace: string, listed: readonly Map<string, unknown>[]): Promise<void> {
    const collection = this.#commands.collectionOf(namespace);
    if (!collection) return;
    const specs = specsToBuild(listed, collection);
    const name = isOfBuckets(namespace) ? `system.buckets.${collection.name}` : collection.name;
    const { built, failures } = await buildIndexes(this.#connection, { ...collection, name }, specs);
    this.counts.indexes += built;
    for (const failure of failures)
      this.#options.onProblem({ path: namespace, error: new Error(failure), gravity: 'odd' });
  }

  async #makeViews(): Promise<void> {
    const { plan } = this.#options;
    for (const { manifest, database, name, isThere } of plan.collections)
      if (manifest.type === 'view' && isThere)
        await this.#connection.command(database, { drop: name }, `cannot drop ${database}.${name}`);
    for (const [namespace, view] of this.#views) {
      const target = view && plan.targetOf(namespace);
      if (target) await this.#makeView(namespace, view, target);
    }
  }

  async #makeView(
    namespace: string,
    view: Uint8Array,
    { database, name }: { database: string; name: string },
  ): Promise<void> {
    const options = orderedDocument(view);
    options.delete('_id');
    const command = { create: name, ...Object.fromEntries(options) };
    try {
      await this.#connection.command(database, command, `cannot create ${database}.${name}`);
      this.counts.views++;
    } catch (error) {
      if (isUnreachable(error)) throw error;
      this.#options.onProblem({ path: namespace, error: new Error(messageOf(error)), gravity: 'lost' });
    }
  }
}
