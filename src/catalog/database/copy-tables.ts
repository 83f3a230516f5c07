import { createHash } from 'node:crypto';
import { type Kysely, sql, type Transaction } from 'kysely';
import { CatalogError } from '../errors.ts';
import type { OpenDatabase } from './open-database.ts';
import type { Tables } from './schema.ts';

export interface CopiedTable {
  name: string;
  rowCount: number;
}

type AnyTables = Record<string, Record<string, unknown>>;

/** Rows of one INSERT: PostgreSQL takes 65,535 values, SQLite 32,766. */
const valuesAtOnce = 30_000;
const rowsAtOnceMax = 500;
/** Given by the database for its own use. */
const ownColumns = ['txid'];
const numberedTables = ['events', 'changes'] as const;

/**
 * Copies every row of one migrated database into another, which must have none, in one transaction of each; reads them
 * back and compares counts and checksums.
 * @param adapt changes what has arrived, after it was compared
 * @throws CatalogError 'catalog.exists' when there is a row already; 'catalog.damaged' when the two differ; nothing was
 * copied then
 */
export async function copyTables(
  from: OpenDatabase,
  to: OpenDatabase,
  adapt: (trx: Transaction<Tables>) => Promise<void> = async () => {},
): Promise<CopiedTable[]> {
  const tables = await from.db.introspection.getTables();
  const shapes = tables.map(({ name, columns }) => ({
    name,
    columns: columns.map((column) => column.name).filter((column) => !ownColumns.includes(column)),
  }));
  return inOneView(from, (reading) =>
    to.db.transaction().execute(async (writing) => {
      await assertEmpty(writing, shapes);
      const copied: CopiedTable[] = [];
      for (const shape of shapes) copied.push(await copyTable(shape, reading, writing));
      await adapt(writing);
      if (to.kind === 'postgres') await continueNumbers(writing);
      return copied;
    }),
  );
}

interface Shape {
  name: string;
  columns: string[];
}

/** All tables as they are at one time. A transaction on a file has it alone. */
function inOneView<T>(
  { db, kind }: OpenDatabase,
  work: (trx: Transaction<Tables>) => Promise<T>,
): Promise<T> {
  const transaction = db.transaction();
  if (kind === 'sqlite') return transaction.execute(work);
  return transaction.setIsolationLevel('repeatable read').setAccessMode('read only').execute(work);
}

async function assertEmpty(db: Kysely<Tables>, shapes: readonly Shape[]): Promise<void> {
  for (const { name } of shapes) {
    const row = await anyTable(db).selectFrom(name).select(sql`1`.as('one')).limit(1).executeTakeFirst();
    if (row)
      throw new CatalogError('catalog.exists', `the catalog to copy to is not empty: it has ${name}`, {
        hint: 'Give a place where no catalog is. Nothing was copied.',
      });
  }
}

async function copyTable(
  shape: Shape,
  reading: Transaction<Tables>,
  writing: Transaction<Tables>,
): Promise<CopiedTable> {
  const sent = new TableSum();
  let batch: Record<string, unknown>[] = [];
  const write = async (): Promise<void> => {
    if (batch.length > 0) await anyTable(writing).insertInto(shape.name).values(batch).execute();
    batch = [];
  };
  const rowsAtOnce = Math.min(rowsAtOnceMax, Math.floor(valuesAtOnce / shape.columns.length));
  for await (const row of rowsOf(shape, reading)) {
    sent.add(shape, row);
    batch.push(row);
    if (batch.length === rowsAtOnce) await write();
  }
  await write();
  const arrived = new TableSum();
  for await (const row of rowsOf(shape, writing)) arrived.add(shape, row);
  if (arrived.text() === sent.text()) return { name: shape.name, rowCount: sent.rowCount };
  throw new CatalogError('catalog.damaged', `the copy of ${shape.name} is not the same as what was copied`, {
    hint: 'Nothing was copied. Check the disks and the memory of both machines, then try again.',
    context: { table: shape.name, sent: sent.rowCount, arrived: arrived.rowCount },
  });
}

function rowsOf({ name, columns }: Shape, trx: Transaction<Tables>): AsyncIterable<Record<string, unknown>> {
  return anyTable(trx).selectFrom(name).select(columns).stream(rowsAtOnceMax);
}

function anyTable(db: Kysely<Tables>): Kysely<AnyTables> {
  return db as unknown as Kysely<AnyTables>;
}

/** Count and checksum of a table, whatever the order of its rows: SHA-256 of each, exclusive-or of all. */
class TableSum {
  rowCount = 0;
  readonly #sum = new BigUint64Array(4);

  add({ columns }: Shape, row: Record<string, unknown>): void {
    const text = JSON.stringify(columns.map((column) => row[column]));
    const hash = createHash('sha256').update(text).digest();
    for (let i = 0; i < this.#sum.length; i++) this.#sum[i]! ^= hash.readBigUInt64LE(i * 8);
    this.rowCount++;
  }

  text(): string {
    return `${this.rowCount} ${this.#sum.join(' ')}`;
  }
}

/** SQLite counts on from the highest number by itself. */
async function continueNumbers(trx: Transaction<Tables>): Promise<void> {
  for (const name of numberedTables)
    await sql`
      SELECT setval(pg_get_serial_sequence(${name}, 'number'), number)
      FROM (SELECT max(number) AS number FROM ${sql.table(name)}) AS newest WHERE number IS NOT NULL`.execute(
      trx,
    );
}
