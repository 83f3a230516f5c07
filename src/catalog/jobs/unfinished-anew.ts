import type { Transaction } from 'kysely';
import type { Tables } from '../database/schema.ts';

/**
 * Queues jobs that have not ended as if they had never begun: the engine that knew their steps stayed behind. Steps are
 * safe to repeat.
 */
export async function unfinishedAnew(trx: Transaction<Tables>): Promise<void> {
  await trx.deleteFrom('job_limits').execute();
  await trx
    .updateTable('jobs')
    .set((eb) => ({
      state: 'queued',
      // What a worker of the old place still writes is not accepted here.
      generation: eb('generation', '+', 1),
      run_id: null,
      worker: null,
      heartbeat_at: null,
      dispatched_at: null,
      waits_for: null,
      progress: null,
    }))
    .where('state', 'in', ['queued', 'running'])
    .execute();
}
