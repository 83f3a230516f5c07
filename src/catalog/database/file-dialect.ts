import type { DatabaseSync } from 'node:sqlite';
import {
  CompiledQuery,
  type DatabaseConnection,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteDialect,
  SqliteDriver,
} from 'kysely';

/** Kysely over node:sqlite, with two promises that its own dialect does not give. */
export class FileDialect extends SqliteDialect {
  readonly #database: SqliteDatabase;

  constructor(file: DatabaseSync) {
    const database = databaseOf(file);
    super({ database });
    this.#database = database;
  }

  override createDriver(): SqliteDriver {
    return new ImmediateDriver({ database: this.#database });
  }

  override createAdapter(): SqliteAdapter {
    return new TransactionalAdapter();
  }
}

/**
 * A transaction of ours writes. Begun as a reader, it could not become a writer after another process wrote, however
 * long it waited.
 */
class ImmediateDriver extends SqliteDriver {
  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
  }
}

/** Kysely runs migrations of SQLite without a transaction, though SQLite can: whoever dies in one leaves a half. */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

function databaseOf(file: DatabaseSync): SqliteDatabase {
  return {
    prepare(sql) {
      const statement = file.prepare(sql);
      type Values = Parameters<typeof statement.all>;
      return {
        reader: statement.columns().length > 0,
        all: (values) => statement.all(...(values as Values)),
        run: (values) => statement.run(...(values as Values)),
        iterate: (values) => statement.iterate(...(values as Values)),
      };
    },
    close: () => file.close(),
  };
}
