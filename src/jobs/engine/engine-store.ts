import { DatabaseSync } from 'node:sqlite';
import type { WorkerOptions } from 'openworkflow';

/** Where the engine keeps what it knows: a file of its own beside the catalog, or a schema of its own in PostgreSQL. */
export type EnginePlace = { path: string } | { url: string };

export interface EngineStore {
  readonly backend: WorkerOptions['backend'];
  /** Forgets jobs that ended before. @returns how many */
  forget(endedBefore: Date): Promise<number>;
  /** Lets the jobs of a process that is gone go on at once. Only where no other process can have any under way. */
  releaseAll?(): Promise<void>;
  close(): Promise<void>;
}

const schema = 'holdfast_engine';
const endedStates = ['completed', 'succeeded', 'failed', 'canceled'];

export async function openEngineStore(place: EnginePlace): Promise<EngineStore> {
  return 'path' in place ? openEmbedded(place.path) : openShared(place.url);
}

async function openEmbedded(path: string): Promise<EngineStore> {
  const { BackendSqlite } = await import('openworkflow/sqlite');
  const backend = BackendSqlite.connect(path);
  // The engine runs whole transactions without a pause, so that this connection of the same thread never meets one.
  const database = new DatabaseSync(path, { timeout: 5000 });
  const marks = endedStates.map(() => '?').join(', ');
  return {
    backend,
    forget: async (endedBefore) => {
      const { changes } = database
        .prepare(`DELETE FROM workflow_runs WHERE status IN (${marks}) AND finished_at < ?`)
        .run(...endedStates, endedBefore.toISOString());
      return Number(changes);
    },
    releaseAll: async () => {
      database
        .prepare(
          `UPDATE workflow_runs SET available_at = ? WHERE status = 'running' AND worker_id IS NOT NULL`,
        )
        .run(new Date(0).toISOString());
    },
    close: async () => {
      database.close();
      await backend.stop();
    },
  };
}

async function openShared(url: string): Promise<EngineStore> {
  const [{ BackendPostgres }, { default: postgres }] = await Promise.all([
    import('openworkflow/postgres'),
    import('postgres'),
  ]);
  const backend = await BackendPostgres.connect(url, { schema });
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  return {
    backend,
    forget: async (endedBefore) => {
      const { count } = await sql`
        DELETE FROM ${sql(schema)}.workflow_runs
        WHERE status IN ${sql(endedStates)} AND finished_at < ${endedBefore}`;
      return count;
    },
    close: async () => {
      await sql.end();
      await backend.stop();
    },
  };
}
