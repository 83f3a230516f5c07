import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import {
  type Columns,
  type IndexShapes,
  makeIndexes,
  makeJournals,
  makeTables,
  type TableShapes,
} from '../database/make-tables.ts';

const tables: TableShapes = {
  configured: {
    columns: {
      noun: 'text',
      id: 'text',
      name: 'text',
      spec: 'text',
      origin: 'text',
      revision: 'integer',
      created_at: 'integer',
      updated_at: 'integer',
    },
    key: ['noun', 'name'],
  },
  jobs: {
    columns: {
      id: 'text',
      kind: 'text',
      version: 'integer',
      plan: 'text?',
      input: 'text',
      labels: 'text',
      trigger_kind: 'text',
      requested_by: 'text?',
      limits: 'text',
      state: 'text',
      reason: 'text?',
      attempt: 'integer',
      generation: 'integer',
      run_id: 'text?',
      worker: 'text?',
      heartbeat_at: 'integer?',
      cancel_requested_at: 'integer?',
      cancelled_by: 'text?',
      dispatched_at: 'integer?',
      waits_for: 'text?',
      progress: 'text?',
      result: 'text?',
      scheduled_at: 'integer?',
      created_at: 'integer',
      started_at: 'integer?',
      ended_at: 'integer?',
      idempotency_key: 'text?',
    },
    key: ['id'],
  },
  job_limits: { columns: { name: 'text', job_id: 'text' }, key: ['name', 'job_id'] },
  job_steps: {
    columns: {
      job_id: 'text',
      number: 'integer',
      name: 'text',
      state: 'text',
      reason: 'text?',
      attempt: 'integer',
      started_at: 'integer',
      ended_at: 'integer?',
    },
    key: ['job_id', 'name'],
  },
  job_lines: {
    columns: {
      job_id: 'text',
      number: 'integer',
      at: 'integer',
      level: 'text',
      step: 'text?',
      message: 'text',
      hint: 'text?',
      item: 'text?',
    },
    key: ['job_id', 'number'],
  },
  schedules: { columns: { name: 'text', handled_until: 'integer' }, key: ['name'] },
  snapshots: {
    columns: {
      repository: 'text',
      id: 'text',
      plan: 'text?',
      source: 'text?',
      job_id: 'text?',
      taken_at: 'integer',
      facts: 'text',
      badges: 'text',
      pins: 'text',
      forgotten_at: 'integer?',
      trash_until: 'integer?',
    },
    key: ['repository', 'id'],
  },
  users: {
    columns: {
      id: 'text',
      username: 'text',
      display_name: 'text?',
      email: 'text?',
      role: 'text',
      password_hash: 'text',
      is_disabled: 'integer',
      created_at: 'integer',
      last_seen_at: 'integer?',
    },
    key: ['id'],
  },
  sessions: {
    columns: {
      hash: 'text',
      user_id: 'text',
      csrf_token: 'text',
      created_at: 'integer',
      expires_at: 'integer',
    },
    key: ['hash'],
  },
  tokens: {
    columns: {
      id: 'text',
      hash: 'text',
      name: 'text',
      scopes: 'text',
      user_id: 'text',
      created_at: 'integer',
      expires_at: 'integer?',
      last_used_at: 'integer?',
    },
    key: ['id'],
  },
  secrets: {
    columns: { id: 'text', sealed: 'text', fingerprint: 'text', created_at: 'integer' },
    key: ['id'],
  },
  settings: { columns: { name: 'text', value: 'text' }, key: ['name'] },
};

/** Numbered by the database, in the order of their commits or nearly so. */
const journals: Record<string, Columns> = {
  events: { at: 'integer', type: 'text', severity: 'text', message: 'text', plan: 'text?', facts: 'text' },
  changes: { at: 'integer', payload: 'text' },
};

const indexes: IndexShapes = {
  configured_id: { on: 'configured', columns: ['id'], unique: true },
  jobs_key: { on: 'jobs', columns: ['idempotency_key'], unique: true },
  jobs_state: { on: 'jobs', columns: ['state', 'id'] },
  jobs_plan: { on: 'jobs', columns: ['plan', 'id'] },
  job_limits_job: { on: 'job_limits', columns: ['job_id'] },
  snapshots_taken: { on: 'snapshots', columns: ['taken_at', 'id'] },
  snapshots_plan: { on: 'snapshots', columns: ['plan', 'taken_at'] },
  snapshots_trash: { on: 'snapshots', columns: ['trash_until'] },
  events_plan: { on: 'events', columns: ['plan', 'number'] },
  users_name: { on: 'users', columns: ['username'], unique: true },
  sessions_user: { on: 'sessions', columns: ['user_id'] },
  tokens_hash: { on: 'tokens', columns: ['hash'], unique: true },
};

export function first(kind: 'sqlite' | 'postgres'): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await makeTables(db, kind, tables);
      await makeJournals(db, kind, journals);
      await makeIndexes(db, indexes);
      if (kind === 'postgres')
        await sql`ALTER TABLE job_lines SET (autovacuum_vacuum_scale_factor = 0.05)`.execute(db);
    },
  };
}
