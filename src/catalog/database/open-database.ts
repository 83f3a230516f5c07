import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { Kysely, PostgresDialect } from 'kysely';
import { messageOf } from '#base';
import { CatalogError } from '../errors.ts';
import { catalogErrorOf } from './database-error.ts';
import { FileDialect } from './file-dialect.ts';
import type { Tables } from './schema.ts';
import { tellingDialect } from './telling-dialect.ts';

/** A file of this machine, or PostgreSQL by its URL. */
export type CatalogPlace = { path: string } | { url: string };

export interface OpenDatabase {
  readonly kind: 'sqlite' | 'postgres';
  readonly db: Kysely<Tables>;
  /** The file's own connection, for what only SQLite has. */
  readonly file?: DatabaseSync;
}

const busyMsMax = 10_000;
const connectionsMax = 10;
const connectMsMax = 30_000;

/** @throws CatalogError 'catalog.unreachable' */
export async function openDatabase(place: CatalogPlace): Promise<OpenDatabase> {
  try {
    return 'path' in place ? openFile(place.path) : await openServer(place.url);
  } catch (cause) {
    const error = catalogErrorOf(cause);
    if (error instanceof CatalogError && error.code === 'catalog.damaged') throw error;
    const where = 'path' in place ? place.path : 'PostgreSQL';
    throw new CatalogError(
      'catalog.unreachable',
      `cannot open the catalog in ${where}: ${messageOf(cause)}`,
      {
        hint: 'Check that the place exists, that it is ours to read and write, and that the disk has room.',
        cause,
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
  return { kind: 'sqlite', file, db: new Kysely({ dialect: tellingDialect(new FileDialect(file)) }) };
}

async function openServer(url: string): Promise<OpenDatabase> {
  const [{ default: pg }, { default: cursor }] = await Promise.all([import('pg'), import('pg-cursor')]);
  const pool = new pg.Pool({
    connectionString: url,
    max: connectionsMax,
    connectionTimeoutMillis: connectMsMax,
    keepAlive: true,
    types: {
      // Our 64-bit numbers are times and counts below 2^53.
      getTypeParser: (type: number, format?: 'text' | 'binary') =>
        type === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(type, format),
    },
  });
  // A lost connection is replaced, and who asked learns of it; without listeners it would end the process.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  try {
    await pool.query('SELECT 1');
  } catch (error) {
    await pool.end();
    throw error;
  }
  const dialect = tellingDialect(new PostgresDialect({ pool, cursor }));
  return { kind: 'postgres', db: new Kysely({ dialect }) };
}
