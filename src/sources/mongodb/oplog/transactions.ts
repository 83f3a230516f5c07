import { SourceError } from '../../errors.ts';
import { bsonTypes, elementsOf, findElement } from '../bson-bytes.ts';
import { isTrue } from '../bson-values.ts';
import { type OplogEntry, type OplogOperation, parseOperation } from './oplog-entry.ts';
import { describeTime } from './oplog-time.ts';

/** Most bytes of transactions that are begun and not committed. A server's own limit is far below. */
const openBytesMax = 1024 * 1024 * 1024;

/**
 * Gathers the operations of transactions, which stand in one entry or in many, until the entry that commits them.
 * Source: MongoDB's oplog_entry.idl and the buffer of mongorestore.
 */
export class Transactions {
  readonly #open = new Map<string, OplogOperation[]>();
  #openBytes = 0;

  /** How many are neither committed nor aborted. */
  get openCount(): number {
    return this.#open.size;
  }

  /**
   * What an entry makes due, in order, each with the entry's time: itself, what is inside its `applyOps`, a whole
   * transaction, or nothing. @throws SourceError 'sources.oplog-gap' when the beginning of a transaction is missing
   */
  due(entry: OplogEntry): OplogOperation[] {
    const command = entry.op === 'c' ? commandOf(entry) : undefined;
    if (command === 'applyOps') {
      const operations = operationsIn(entry);
      return entry.transaction === undefined ? operations : this.#gather(entry, operations);
    }
    if (entry.transaction === undefined) return [entry];
    if (command === 'commitTransaction') return this.#take(entry);
    if (command === 'abortTransaction') {
      this.#forget(entry.transaction);
      return [];
    }
    return [entry];
  }

  #gather(entry: OplogEntry, operations: OplogOperation[]): OplogOperation[] {
    const key = entry.transaction!;
    if (entry.previous && !this.#open.has(key)) throw withoutBeginning(entry);
    // A first entry begins anew: what stood there was given up with its session.
    if (!entry.previous) this.#forget(key);
    const all = this.#open.get(key) ?? [];
    all.push(...operations);
    this.#open.set(key, all);
    this.#openBytes += entry.bytes.length;
    if (this.#openBytes > openBytesMax)
      throw new SourceError('sources.oplog', 'the transactions that are not committed are too large', {
        hint: 'Restore to a time before them with --until.',
      });
    const isOver = !isTrue(entry.o, 'partialTxn') && !isTrue(entry.o, 'prepare');
    return isOver ? this.#take(entry) : [];
  }

  #take(entry: OplogEntry): OplogOperation[] {
    const operations = this.#open.get(entry.transaction!);
    if (!operations) throw withoutBeginning(entry);
    this.#forget(entry.transaction!);
    return operations.map((operation) => ({ ...operation, time: entry.time }));
  }

  #forget(key: string): void {
    this.#open.delete(key);
    if (this.#open.size === 0) this.#openBytes = 0;
  }
}

/** The name of a command entry's command. */
export function commandOf({ o }: OplogOperation): string {
  return elementsOf(o).next().value?.name ?? '';
}

/** What stands inside an `applyOps`, those inside others too. */
function operationsIn({ o, time }: OplogOperation): OplogOperation[] {
  const list = findElement(o, 'applyOps');
  if (list?.type !== bsonTypes.array) return [];
  return [...elementsOf(list.value)].flatMap(({ value }) => {
    const operation = parseOperation(value, time);
    const isNested = operation.op === 'c' && commandOf(operation) === 'applyOps';
    return isNested ? operationsIn(operation) : [operation];
  });
}

function withoutBeginning({ time }: OplogEntry): SourceError {
  return new SourceError(
    'sources.oplog-gap',
    `the transaction of ${describeTime(time)} began before the first entry that is held`,
    { hint: 'Restore to a time before it with --until, or from a later full backup.' },
  );
}
