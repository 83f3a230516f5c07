import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type CopiedTable, copyTables } from './database/copy-tables.ts';
import { migrate } from './database/migrate.ts';
import { type CatalogPlace, openDatabase } from './database/open-database.ts';
import { CatalogError } from './errors.ts';
import { unfinishedAnew } from './jobs/unfinished-anew.ts';

/** Where the catalog of a state directory lies, if no URL names another place. */
export function catalogFileIn(directory: string): string {
  return join(directory, 'catalog.sqlite');
}

/**
 * Copies a catalog to a place where none is: from a file to PostgreSQL, or back. Nobody may use either meanwhile. The
 * first one stays as it is; sealed secrets open with the same master key; jobs that have not ended begin anew.
 * @returns what was copied, after both sides were compared
 * @throws CatalogError 'catalog.absent', 'catalog.exists', 'catalog.damaged', 'catalog.newer', 'catalog.unreachable'
 */
export async function moveCatalog({
  from,
  to,
}: {
  from: CatalogPlace;
  to: CatalogPlace;
}): Promise<CopiedTable[]> {
  if ('path' in from && !existsSync(from.path))
    throw new CatalogError('catalog.absent', `there is no catalog ${from.path}`, {
      hint: 'Give the state directory, the catalog file in it, or where the URL of PostgreSQL lies.',
    });
  const source = await openDatabase(from);
  try {
    await migrate(source);
    const target = await openDatabase(to);
    try {
      await migrate(target);
      return await copyTables(source, target, unfinishedAnew);
    } finally {
      await target.db.destroy();
    }
  } finally {
    await source.db.destroy();
  }
}
