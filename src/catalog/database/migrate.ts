import type { Kysely } from 'kysely';
import { type Migration, type MigrationProvider, Migrator } from 'kysely/migration';
import { messageOf } from '#base';
import { CatalogError } from '../errors.ts';
import { first } from '../migrations/0001-first.ts';
import { chainsAndDeliveries } from '../migrations/0002-chains-deliveries.ts';
import type { OpenDatabase } from './open-database.ts';
import type { Tables } from './schema.ts';

type Migrations = Record<string, (kind: OpenDatabase['kind']) => Migration>;

/** In order; one that was released is never changed. */
export const migrations: Migrations = {
  '0001-first': first,
  '0002-chains-deliveries': chainsAndDeliveries,
};

/**
 * Brings the tables to this version's form: all steps in one transaction, and one process at a time (the database's
 * lock), so that whoever is killed in the middle changed nothing.
 * @throws CatalogError 'catalog.newer' when a later version of Holdfast was here
 */
export async function migrate({ db, kind }: OpenDatabase, steps: Migrations = migrations): Promise<void> {
  await refuseNewer(db, steps);
  const provider: MigrationProvider = {
    getMigrations: async () =>
      Object.fromEntries(Object.entries(steps).map(([name, migration]) => [name, migration(kind)])),
  };
  const { error } = await new Migrator({ db, provider }).migrateToLatest();
  if (error === undefined) return;
  throw new CatalogError('catalog.damaged', `cannot bring the catalog to this version: ${messageOf(error)}`, {
    hint: 'Nothing was changed. Start the version before, or restore the catalog from a self backup.',
    cause: error,
  });
}

async function refuseNewer(db: Kysely<Tables>, steps: Migrations): Promise<void> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some(({ name }) => name === 'kysely_migration')) return;
  const done = await db
    .withTables<{ kysely_migration: { name: string } }>()
    .selectFrom('kysely_migration')
    .select('name')
    .execute();
  const unknown = done.find(({ name }) => !(name in steps));
  if (!unknown) return;
  throw new CatalogError('catalog.newer', `the catalog was made by a newer Holdfast (${unknown.name})`, {
    hint: 'Start that version again; this one would not understand all of it.',
  });
}
