import type { Document } from 'mongodb';
import { SourceError } from '../../errors.ts';
import { documentOf } from '../bson-build.ts';
import { type BsonElement, bsonTypes, elementsOf, findElement } from '../bson-bytes.ts';
import type { MongoConnection } from '../connection.ts';
import { keepsEmptyTimestamps } from '../data-place.ts';
import { typedValue } from '../ordered-document.ts';
import { asStored, rawSequence } from '../raw-insert.ts';
import type { OplogOperation } from './oplog-entry.ts';
import { describeTime } from './oplog-time.ts';
import { isReplacement, patchDocument } from './patch-document.ts';

/** Where documents are changed. */
export interface DocumentPlace {
  database: string;
  collection: string;
  isBuckets: boolean;
}

/** Most of one command; a server's own limits are above. */
const statementsMax = 1000;
const statementBytesMax = 8 * 1024 * 1024;

/** What did not fit what was there: in a history that is whole from its beginning there is nothing of this. */
export type Misfit = { operation: OplogOperation; reason: string };

/** The changes of one document, in order. */
interface Change {
  id: BsonElement;
  operations: OplogOperation[];
}

/** What becomes of a document: its last state, or nothing. */
interface Outcome {
  change: Change;
  document: Uint8Array | undefined;
}

/**
 * Changes of documents of one collection, gathered: each is written once, in the state in which the last of them leaves
 * it. Inserts and replacements need no look at what is there; what changes by parts is read, patched and replaced, so
 * that a delta comes out as the server made it, and applying a stretch twice comes to the same.
 */
export class ReplayedDocuments {
  readonly #connection: MongoConnection;
  readonly #place: DocumentPlace;
  readonly #changes = new Map<string, Change>();

  constructor(connection: MongoConnection, place: DocumentPlace) {
    this.#connection = connection;
    this.#place = place;
  }

  /** @throws SourceError 'sources.oplog' when it names no document */
  add(operation: OplogOperation): void {
    const { op, o, o2 } = operation;
    const id = findElement(op === 'u' ? (o2 ?? o) : o, '_id');
    if (!id) throw cannot(operation, 'it names no _id');
    const key = keyOf(id);
    const change = this.#changes.get(key);
    if (change) change.operations.push(operation);
    else this.#changes.set(key, { id, operations: [operation] });
  }

  /** Writes what was gathered. @returns what did not fit @throws SourceError */
  async flush(): Promise<Misfit[]> {
    const misfits: Misfit[] = [];
    const changes = [...this.#changes.values()];
    const before = await this.#load(changes.filter(({ operations }) => needsDocument(operations[0]!)));
    const outcomes = changes.flatMap((change) => outcomeOf(change, before, misfits) ?? []);
    const isGone = ({ document }: Outcome): boolean => document === undefined;
    await this.#replace(
      outcomes.filter((one) => !isGone(one) && !hasDollarName(one.document!)),
      misfits,
    );
    await this.#exchange(outcomes.filter((one) => !isGone(one) && hasDollarName(one.document!)));
    await this.#remove(outcomes.filter(isGone), misfits);
    return misfits;
  }

  async #load(changes: readonly Change[]): Promise<Map<string, Uint8Array>> {
    const found = new Map<string, Uint8Array>();
    for (let at = 0; at < changes.length; at += statementsMax) {
      const ids = changes.slice(at, at + statementsMax).map(({ id }) => typedValue(id));
      const command = { find: this.#place.collection, filter: { _id: { $in: ids } }, ...this.#rawData() };
      const what = `cannot read what is to be changed in ${this.#name}`;
      for (const document of await this.#connection.rawDocuments(this.#place.database, command, what))
        found.set(keyOf(findElement(document, '_id')!), document);
    }
    return found;
  }

  async #replace(outcomes: readonly Outcome[], misfits: Misfit[]): Promise<void> {
    const statementOf = ({ change, document }: Outcome): Uint8Array =>
      documentOf([
        { name: 'q', type: bsonTypes.document, value: queryFor(change.id) },
        { name: 'u', type: bsonTypes.document, value: document! },
        { name: 'upsert', type: bsonTypes.boolean, value: Buffer.from([1]) },
      ]);
    await this.#write('update', 'updates', outcomes, statementOf, (reply, written) => {
      const made = new Set(((reply.upserted ?? []) as { index: number }[]).map(({ index }) => index));
      for (const [index, { change }] of written.entries()) {
        const operation = change.operations[0]!;
        if (operation.op === 'i' && !made.has(index))
          misfits.push({ operation, reason: 'a document was inserted that was there' });
        if (operation.op === 'u' && made.has(index))
          misfits.push({ operation, reason: 'a document was replaced that was not there' });
      }
    });
  }

  /** A server takes `$` at the beginning of a name for an operator in a replacement, and for a name in an insert. */
  async #exchange(outcomes: readonly Outcome[]): Promise<void> {
    await this.#delete(outcomes, () => {});
    await this.#write(
      'insert',
      'documents',
      outcomes,
      ({ document }) => asStored(document!),
      () => {},
    );
  }

  async #remove(outcomes: readonly Outcome[], misfits: Misfit[]): Promise<void> {
    const isNew = ({ change }: Outcome): boolean => change.operations[0]!.op === 'i';
    await this.#delete(outcomes.filter(isNew), () => {});
    await this.#delete(
      outcomes.filter((one) => !isNew(one)),
      ({ n }, written) => {
        if (Number(n) < written.length)
          misfits.push({
            operation: written[0]!.change.operations.at(-1)!,
            reason: `of ${written.length} documents that were deleted only ${n} were there`,
          });
      },
    );
  }

  async #delete(
    outcomes: readonly Outcome[],
    look: (reply: Document, written: Outcome[]) => void,
  ): Promise<void> {
    const one = Buffer.from([1, 0, 0, 0]);
    const statementOf = ({ change }: Outcome): Uint8Array =>
      documentOf([
        { name: 'q', type: bsonTypes.document, value: queryFor(change.id) },
        { name: 'limit', type: bsonTypes.int32, value: one },
      ]);
    await this.#write('delete', 'deletes', outcomes, statementOf, look);
  }

  async #write(
    command: 'insert' | 'update' | 'delete',
    field: string,
    outcomes: readonly Outcome[],
    statementOf: (outcome: Outcome) => Uint8Array,
    look: (reply: Document, written: Outcome[]) => void,
  ): Promise<void> {
    for (const written of batchesOf(outcomes)) {
      const reply = await this.#connection.command(
        this.#place.database,
        {
          [command]: this.#place.collection,
          // The order of a capped collection is its meaning.
          ordered: true,
          ...(command === 'delete' ? {} : this.#ofWrites()),
          ...this.#rawData(),
          writeConcern: { w: 'majority' },
          [field]: rawSequence(field, written.map(statementOf)),
        },
        `cannot replay into ${this.#name}`,
      );
      this.#assertWritten(reply, written);
      look(reply, written);
    }
  }

  #assertWritten(reply: Document, written: readonly Outcome[]): void {
    const [error] = (reply.writeErrors ?? []) as { index: number; errmsg?: string }[];
    const reason: unknown = error?.errmsg ?? reply.writeConcernError?.errmsg;
    if (reason === undefined) return;
    const operation = written[error?.index ?? 0]!.change.operations.at(-1)!;
    throw cannot(operation, this.#connection.url.redact(String(reason)));
  }

  #ofWrites(): Document {
    return {
      // Of buckets a server wants to look at each.
      ...(this.#place.isBuckets ? {} : { bypassDocumentValidation: true }),
      ...(keepsEmptyTimestamps(this.#connection.server) ? { bypassEmptyTsReplacement: true } : {}),
    };
  }

  #rawData(): Document {
    return this.#place.isBuckets && !this.#place.collection.startsWith('system.buckets.')
      ? { rawData: true }
      : {};
  }

  get #name(): string {
    return `${this.#place.database}.${this.#place.collection}`;
  }
}

function needsDocument({ op, o }: OplogOperation): boolean {
  return op === 'u' && !isReplacement(o);
}

/** What the changes make of a document; a part of one that is not there changes nothing, as it does in a server's own recovery. */
function outcomeOf(
  change: Change,
  before: ReadonlyMap<string, Uint8Array>,
  misfits: Misfit[],
): Outcome | undefined {
  let document = before.get(keyOf(change.id));
  let isTouched = document !== undefined;
  for (const operation of change.operations) {
    const { op, o } = operation;
    if (op === 'd') document = undefined;
    else if (op === 'i' || isReplacement(o)) document = o;
    else if (!document) {
      misfits.push({ operation, reason: 'a document was changed that was not there' });
      continue;
    } else {
      const patched = patchDocument(document, o);
      document = patched.document;
      if (patched.misfits > 0)
        misfits.push({ operation, reason: 'a change named a path that was not there' });
    }
    isTouched = true;
  }
  return isTouched ? { change, document } : undefined;
}

function keyOf({ type, value }: BsonElement): string {
  return `${type}:${Buffer.from(value).toString('latin1')}`;
}

/** `{_id: {$eq: ID}}`: an id need not be a value that a query takes for itself. */
function queryFor(id: BsonElement): Uint8Array {
  const value = documentOf([{ ...id, name: '$eq' }]);
  return documentOf([{ name: '_id', type: bsonTypes.document, value }]);
}

function hasDollarName(document: Uint8Array): boolean {
  for (const { name } of elementsOf(document)) if (name.startsWith('$')) return true;
  return false;
}

function* batchesOf(outcomes: readonly Outcome[]): Generator<Outcome[]> {
  let batch: Outcome[] = [];
  let bytes = 0;
  for (const outcome of outcomes) {
    const length = outcome.document?.length ?? 0;
    if (batch.length === statementsMax || (batch.length > 0 && bytes + length > statementBytesMax)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(outcome);
    bytes += length;
  }
  if (batch.length > 0) yield batch;
}

/** An entry that cannot be replayed ends the restore: what comes after it rests on it. */
export function cannot({ time, op, namespace }: OplogOperation, reason: string): SourceError {
  return new SourceError(
    'sources.oplog',
    `cannot replay the entry of ${describeTime(time)} (${op} ${namespace}): ${reason}`,
    { hint: `Restore to a time before it: --until ${time.t}:${Math.max(time.i - 1, 0)}.`, context: { time } },
  );
}
