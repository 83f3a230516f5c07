import { closeSync, openSync, rmSync } from 'node:fs';
import { backup } from 'node:sqlite';
import { systemCodeOf } from '#base';
import { CatalogError } from '../errors.ts';
import { copyTables } from './copy-tables.ts';
import { migrate } from './migrate.ts';
import { type OpenDatabase, openDatabase } from './open-database.ts';

/**
 * Writes a database as it is at one time into a new file that only we may read: by SQLite's own means, or row by row
 * from PostgreSQL, so that a self backup is the same file in both cases.
 * @throws CatalogError 'catalog.exists'
 */
export async function copyToFile(database: OpenDatabase, path: string): Promise<void> {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if (systemCodeOf(error) !== 'EEXIST') throw error;
    throw new CatalogError('catalog.exists', `there is a file ${path} already`, {
      hint: 'Give the name of a new file.',
    });
  }
  try {
    if (database.file) await backup(database.file, path);
    else await copyRows(database, path);
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  }
}

async function copyRows(database: OpenDatabase, path: string): Promise<void> {
  const file = await openDatabase({ path });
  try {
    await migrate(file);
    await copyTables(database, file);
  } finally {
    await file.db.destroy();
  }
}
