import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { Kysely } from 'kysely';
import { messageOf } from '#base';
import { CatalogError } from '../errors.ts';
import { FileDialect } from './file-dialect.ts';
import type { Tables } from './schema.ts';

/** A file of this machine, or PostgreSQL by its URL. */
export type CatalogPlace = { path: string } | { url: string };

export interface OpenDatabase {
  readonly kind: 'sqlite' | 'postgres';
  readonly db: Kysely<Tables>;
  /** The file's own connection, for what only SQLite has. */
  readonly file?: DatabaseSync;
}

const busyMsMax = 10_000;

/** @throws CatalogError 'catalog.unreachable' */
export async function openDatabase(place: CatalogPlace): Promise<OpenDatabase> {
  try {
    return 'path' in place ? openFile(place.path) : await openServer(place.url);
  } catch (error) {
    const where = 'path' in place ? place.path : 'PostgreSQL';
    throw new CatalogError(
      'catalog.unreachable',
      `cannot open the catalog in ${where}: ${messageOf(error)}`,
      {
        hint: 'Check that the place exists, that it is ours to read and write, and that the disk has room.',
        cause: error,
      },
    );
  }
}

function openFile(path: string): OpenDatabase {
  // Only for us: it holds hashes of passwords. What SQLite puts beside it has the same mode.
  closeSync(openSync(path, 'a', 0o600));
  const file = new DatabaseSync(path, { timeout: busyMsMax, enableForeignKeyConstraints: true });
  // Full: what was acknowledged survives a power cut (stack.md: 0 of 785 rows lost, at 400 inserts a second).
  file.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
  return { kind: 'sqlite', file, db: new Kysely({ dialect: new FileDialect(file) }) };
}

async function openServer(url: string): Promise<OpenDatabase> {
  const [{ PostgresJSDialect }, { default: postgres }] = await Promise.all([
    import('kysely-postgres-js'),
    import('postgres'),
  ]);
  const connections = postgres(url, {
    max: 10,
    onnotice: () => {},
    // Our 64-bit numbers are times and counts below 2^53.
    types: { bigint: { to: 20, from: [20], parse: Number, serialize: String } },
  });
  await connections`SELECT 1`;
  return { kind: 'postgres', db: new Kysely({ dialect: new PostgresJSDialect({ postgres: connections }) }) };
}
