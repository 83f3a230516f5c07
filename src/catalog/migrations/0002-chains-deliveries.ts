import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import { type IndexShapes, makeIndexes, makeTables, type TableShapes } from '../database/make-tables.ts';

const tables: TableShapes = {
  chain_entries: {
    columns: {
      chain: 'text',
      number: 'integer',
      id: 'text',
      at: 'integer',
      subject: 'text?',
      body: 'text',
      previous: 'text',
      hash: 'text',
    },
    key: ['chain', 'number'],
  },
  deliveries: {
    columns: {
      id: 'text',
      channel: 'text',
      event_number: 'integer?',
      notification: 'text',
      dedupe_key: 'text?',
      state: 'text',
      attempt: 'integer',
      at: 'integer',
      next_at: 'integer?',
      reason: 'text?',
    },
    key: ['id'],
  },
};

const indexes: IndexShapes = {
  chain_entries_id: { on: 'chain_entries', columns: ['chain', 'id'], unique: true },
  chain_entries_subject: { on: 'chain_entries', columns: ['chain', 'subject', 'number'] },
  deliveries_channel: { on: 'deliveries', columns: ['channel', 'id'] },
  deliveries_told: { on: 'deliveries', columns: ['channel', 'dedupe_key', 'id'] },
  deliveries_due: { on: 'deliveries', columns: ['state', 'next_at'] },
  jobs_ended: { on: 'jobs', columns: ['ended_at'] },
  jobs_kind: { on: 'jobs', columns: ['kind', 'id'] },
  jobs_kind_state: { on: 'jobs', columns: ['kind', 'state', 'id'] },
  changes_at: { on: 'changes', columns: ['at'] },
  events_at: { on: 'events', columns: ['at'] },
  snapshots_page: { on: 'snapshots', columns: ['taken_at', 'id', 'repository'] },
  snapshots_repository_page: { on: 'snapshots', columns: ['repository', 'taken_at', 'id'] },
  snapshots_plan_page: { on: 'snapshots', columns: ['plan', 'taken_at', 'id', 'repository'] },
  snapshots_source_page: { on: 'snapshots', columns: ['source', 'taken_at', 'id', 'repository'] },
};

export function chainsAndDeliveries(kind: 'sqlite' | 'postgres'): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await makeTables(db, kind, tables);
      for (const name of ['snapshots_taken', 'snapshots_plan']) await db.schema.dropIndex(name).execute();
      await makeIndexes(db, indexes);
      // Numbers are given before the commit: who reads 8 may not have seen 7 yet. This tells what is still under way.
      if (kind === 'postgres')
        await sql`ALTER TABLE changes ADD COLUMN txid xid8 NOT NULL DEFAULT pg_current_xact_id()`.execute(db);
    },
  };
}
