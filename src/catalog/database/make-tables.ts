import type { CreateTableBuilder, Kysely } from 'kysely';
import type { OpenDatabase } from './open-database.ts';

/** Columns by their type; what ends with `?` may be empty. */
export type Columns = Record<string, 'text' | 'text?' | 'integer' | 'integer?'>;
export type TableShapes = Record<string, { columns: Columns; key: string[] }>;
export type IndexShapes = Record<string, { on: string; columns: string[]; unique?: boolean }>;

type Kind = OpenDatabase['kind'];

export async function makeTables(db: Kysely<unknown>, kind: Kind, shapes: TableShapes): Promise<void> {
  for (const [name, { columns, key }] of Object.entries(shapes))
    await addColumns(db.schema.createTable(name), kind, columns)
      .addPrimaryKeyConstraint(`${name}_pk`, key as never[])
      .execute();
}

/** Tables whose rows are numbered by the database. */
export async function makeJournals(
  db: Kysely<unknown>,
  kind: Kind,
  shapes: Record<string, Columns>,
): Promise<void> {
  for (const [name, columns] of Object.entries(shapes)) {
    const numbered = db.schema
      .createTable(name)
      .addColumn('number', kind === 'sqlite' ? 'integer' : 'bigserial', (column) =>
        kind === 'sqlite' ? column.primaryKey().autoIncrement() : column.primaryKey(),
      );
    await addColumns(numbered as never, kind, columns).execute();
  }
}

export async function makeIndexes(db: Kysely<unknown>, shapes: IndexShapes): Promise<void> {
  for (const [name, { on, columns, unique }] of Object.entries(shapes)) {
    const index = db.schema.createIndex(name).on(on).columns(columns);
    await (unique ? index.unique() : index).execute();
  }
}

function addColumns(
  table: CreateTableBuilder<string, string>,
  kind: Kind,
  columns: Columns,
): CreateTableBuilder<string, string> {
  const integer = kind === 'sqlite' ? 'integer' : 'bigint';
  return Object.entries(columns).reduce(
    (made, [name, type]) =>
      made.addColumn(name, type.startsWith('text') ? 'text' : integer, (column) =>
        type.endsWith('?') ? column : column.notNull(),
      ),
    table,
  );
}
