import type { Selectable, Transaction } from 'kysely';
import type { Tables } from '../database/schema.ts';
import { noteChange, noteEvent } from '../journal.ts';
import { newId } from '../new-id.ts';
import { type Page, type PageRequest, pageOf, type StoreContext } from '../records.ts';
import { type DispatchOptions, dispatchJobs } from './dispatch.ts';
import type {
  Held,
  JobId,
  JobRecord,
  JobState,
  JobVerdict,
  LogLine,
  NewJob,
  NumberedLine,
  StepRecord,
} from './job.ts';
import { jobOf, newRowOf, stepOf } from './job-rows.ts';

const live: JobState[] = ['queued', 'running'];
const prunedAtOnceMax = 500;

/** Narrows a list of jobs. */
export interface JobFilter {
  plan?: string | undefined;
  kinds?: readonly string[] | undefined;
  states?: readonly JobState[] | undefined;
}

/**
 * Jobs, their steps and their logs. Every write that claims or ends something is one transaction and compares before
 * it sets, so that a lost worker's late write changes nothing.
 */
export class JobStore {
  readonly #context: StoreContext;

  constructor(context: StoreContext) {
    this.#context = context;
  }

  /** Queues a job; with an idempotency key that is known, gives the job that has it. */
  async create(job: NewJob): Promise<JobRecord> {
    const { clock, random } = this.#context;
    return this.#write(async (trx) => {
      const nowMs = clock.nowMs();
      const row = newRowOf(job, { id: newId(clock, random), nowMs });
      const made = await trx
        .insertInto('jobs')
        .values(row)
        .onConflict((conflict) => conflict.column('idempotency_key').doNothing())
        .returningAll()
        .executeTakeFirst();
      if (made) {
        await noteChange(trx, nowMs, { type: 'job', id: made.id });
        return jobOf(made);
      }
      const before = await trx
        .selectFrom('jobs')
        .selectAll()
        .where('idempotency_key', '=', row.idempotency_key!)
        .executeTakeFirstOrThrow();
      return jobOf(before);
    });
  }

  /** Records a run that nobody made, as *missed*, so that it is seen. */
  async recordMissed(job: NewJob, verdict: JobVerdict): Promise<JobRecord> {
    const record = await this.create(job);
    await this.#write((trx) => this.#end(trx, record.id, verdict));
    return (await this.get(record.id))!;
  }

  async get(id: JobId): Promise<JobRecord | undefined> {
    const row = await this.#context.db.selectFrom('jobs').selectAll().where('id', '=', id).executeTakeFirst();
    return row && jobOf(row);
  }

  /** Newest first. */
  async list(filter: JobFilter, page: PageRequest): Promise<Page<JobRecord>> {
    const { plan, kinds = [undefined], states = [undefined] } = filter;
    // An index is in order for one state and one kind only; of several, each gives a page, and the newest are shown.
    const pairs = [...new Set(states)].flatMap((state) =>
      [...new Set(kinds)].map((kind) => ({ kind, state })),
    );
    const narrow = plan === undefined ? pairs : [{}];
    const parts = await Promise.all(narrow.map((only) => this.#newest(filter, only, page)));
    const rows = parts.flat().sort((one, other) => (one.id < other.id ? 1 : -1));
    return pageOf(rows, page, { cursorOf: ({ id }) => id, itemOf: jobOf });
  }

  #newest(
    { plan, kinds, states }: JobFilter,
    only: { kind?: string | undefined; state?: JobState | undefined },
    { cursor, limit }: PageRequest,
  ): Promise<Selectable<Tables['jobs']>[]> {
    let query = this.#context.db
      .selectFrom('jobs')
      .selectAll()
      .orderBy('id', 'desc')
      .limit(limit + 1);
    if (cursor !== undefined) query = query.where('id', '<', cursor);
    if (plan !== undefined) query = query.where('plan', '=', plan);
    if (only.kind !== undefined) query = query.where('kind', '=', only.kind);
    else if (kinds) query = query.where('kind', 'in', [...kinds]);
    if (only.state !== undefined) query = query.where('state', '=', only.state);
    else if (states) query = query.where('state', 'in', [...states]);
    return query.execute();
  }

  async steps(id: JobId): Promise<StepRecord[]> {
    const { db } = this.#context;
    const rows = await db
      .selectFrom('job_steps')
      .selectAll()
      .where('job_id', '=', id)
      .orderBy('number')
      .execute();
    return rows.map(stepOf);
  }

  /** @returns lines after a number, oldest first */
  async lines(id: JobId, { after, limit }: { after: number; limit: number }): Promise<NumberedLine[]> {
    const rows = await this.#context.db
      .selectFrom('job_lines')
      .selectAll()
      .where('job_id', '=', id)
      .where('number', '>', after)
      .orderBy('number')
      .limit(limit)
      .execute();
    return rows.map(({ number, at, level, step, message, hint, item }) => ({
      number,
      at: new Date(at),
      level: level as LogLine['level'],
      message,
      ...(step !== null && { step }),
      ...(hint !== null && { hint }),
      ...(item !== null && { item }),
    }));
  }

  /**
   * Takes the limits of queued jobs, oldest first, as far as there is room, and marks those jobs as handed over. The
   * others learn what they wait for.
   */
  async dispatch(options: DispatchOptions): Promise<JobRecord[]> {
    return this.#write((trx) => dispatchJobs(trx, options, this.#context));
  }

  /** Jobs that were handed over and have not ended: a crash may have come before the engine had them. */
  async dispatched(): Promise<JobRecord[]> {
    const rows = await this.#context.db
      .selectFrom('jobs')
      .selectAll()
      .where('state', '=', 'queued')
      .where('dispatched_at', 'is not', null)
      .orderBy('id')
      .execute();
    return rows.map(jobOf);
  }

  /**
   * Claims a job for one execution: running, with a new generation.
   * @returns undefined when it has ended, was cancelled meanwhile, or belongs to another run of the engine
   */
  async begin(claim: { id: JobId; runId: string; workerId: string }): Promise<Held | undefined> {
    return this.#write(async (trx) => {
      const nowMs = this.#context.clock.nowMs();
      const row = await trx
        .updateTable('jobs')
        .set((eb) => ({
          state: 'running',
          generation: eb('generation', '+', 1),
          attempt: eb('attempt', '+', 1),
          run_id: claim.runId,
          worker: claim.workerId,
          heartbeat_at: nowMs,
          started_at: eb.fn.coalesce('started_at', eb.val(nowMs)),
          waits_for: null,
          reason: null,
        }))
        .where('id', '=', claim.id)
        .where('state', 'in', live)
        .where('cancel_requested_at', 'is', null)
        .where((eb) => eb.or([eb('run_id', 'is', null), eb('run_id', '=', claim.runId)]))
        .returningAll()
        .executeTakeFirst();
      if (row) {
        await noteChange(trx, nowMs, { type: 'job', id: row.id });
        return { job: jobOf(row), generation: row.generation };
      }
      // Its worker died before it could obey.
      const asked = await trx
        .selectFrom('jobs')
        .select('cancelled_by')
        .where('id', '=', claim.id)
        .where('state', 'in', live)
        .where('cancel_requested_at', 'is not', null)
        .executeTakeFirst();
      if (asked) await this.#end(trx, claim.id, cancelledBy(asked.cancelled_by));
      return undefined;
    });
  }

  /** @returns 'lost' when another execution has it or it has ended; 'cancel' when somebody asked for its end */
  async heartbeat({ job, generation }: Held): Promise<'mine' | 'cancel' | 'lost'> {
    const row = await this.#context.db
      .updateTable('jobs')
      .set({ heartbeat_at: this.#context.clock.nowMs() })
      .where('id', '=', job.id)
      .where('generation', '=', generation)
      .where('state', '=', 'running')
      .returning('cancel_requested_at')
      .executeTakeFirst();
    if (!row) return 'lost';
    return row.cancel_requested_at === null ? 'mine' : 'cancel';
  }

  /** The execution ends and the job does not. @returns whether it was still ours */
  async park(held: Held, { waitsFor, isWait }: { waitsFor: string; isWait: boolean }): Promise<boolean> {
    return this.#write(async (trx) => {
      const { numUpdatedRows } = await trx
        .updateTable('jobs')
        .set((eb) => ({
          state: 'queued',
          waits_for: waitsFor,
          progress: null,
          // A wait is no failure: what follows is the same attempt.
          attempt: eb('attempt', '-', isWait ? 1 : 0),
        }))
        .where('id', '=', held.job.id)
        .where('generation', '=', held.generation)
        .where('state', '=', 'running')
        .executeTakeFirst();
      await noteChange(trx, this.#context.clock.nowMs(), { type: 'job', id: held.job.id });
      return numUpdatedRows > 0n;
    });
  }

  /** Ends a job and gives its limits back. @returns whether it was still ours */
  async finish(held: Held, verdict: JobVerdict): Promise<boolean> {
    return this.#write((trx) => this.#end(trx, held.job.id, verdict, held.generation));
  }

  /** Ends a job that no worker runs; one that runs is only asked. @returns false when there is none, or it has ended */
  async cancel(id: JobId, by: string): Promise<boolean> {
    return this.#write(async (trx) => {
      const row = await this.#lockRow(trx, id);
      if (!row || !live.includes(row.state as JobState)) return false;
      if (row.state === 'queued') return this.#end(trx, id, cancelledBy(by));
      const nowMs = this.#context.clock.nowMs();
      await trx
        .updateTable('jobs')
        .set({ cancel_requested_at: nowMs, cancelled_by: by })
        .where('id', '=', id)
        .execute();
      await noteChange(trx, nowMs, { type: 'job', id });
      return true;
    });
  }

  /** Ends jobs as interrupted whose workers have not been heard of since. @returns their ids */
  async interruptSilent(since: Date): Promise<JobId[]> {
    const rows = await this.#context.db
      .selectFrom('jobs')
      .select(['id', 'generation'])
      .where('state', '=', 'running')
      .where('heartbeat_at', '<', since.getTime())
      .execute();
    const ended: JobId[] = [];
    for (const { id, generation } of rows) {
      const reason = {
        code: 'jobs.interrupted',
        message: 'its worker has not been heard of, and no other one took over',
        hint: 'Look whether the worker runs, then run the plan again.',
      };
      const isEnded = await this.#write((trx) =>
        this.#end(trx, id, { state: 'interrupted', reason }, generation),
      );
      if (isEnded) ended.push(id as JobId);
    }
    return ended;
  }

  async saveStep({ job, generation }: Held, step: StepRecord): Promise<void> {
    await this.#write(async (trx) => {
      const row = await this.#lockRow(trx, job.id);
      if (row?.state !== 'running' || row.generation !== generation) return;
      const { number } = await trx
        .selectFrom('job_steps')
        .select((eb) => eb.fn.countAll<number>().as('number'))
        .where('job_id', '=', job.id)
        .executeTakeFirstOrThrow();
      const values = {
        state: step.state,
        reason: step.reason ? JSON.stringify(step.reason) : null,
        attempt: step.attempt,
        ended_at: step.endedAt?.getTime() ?? null,
      };
      const begun = {
        job_id: job.id,
        number: Number(number) + 1,
        name: step.name,
        started_at: step.startedAt.getTime(),
      };
      await trx
        .insertInto('job_steps')
        .values({ ...begun, ...values })
        .onConflict((conflict) => conflict.columns(['job_id', 'name']).doUpdateSet(values))
        .execute();
      await noteChange(trx, this.#context.clock.nowMs(), { type: 'job', id: job.id });
    });
  }

  async saveProgress({ job, generation }: Held, progress: unknown): Promise<void> {
    await this.#write(async (trx) => {
      const { numUpdatedRows } = await trx
        .updateTable('jobs')
        .set({ progress: JSON.stringify(progress) })
        .where('id', '=', job.id)
        .where('generation', '=', generation)
        .where('state', '=', 'running')
        .executeTakeFirst();
      if (numUpdatedRows > 0n)
        await noteChange(trx, this.#context.clock.nowMs(), { type: 'job', id: job.id });
    });
  }

  async appendLines(id: JobId, lines: readonly LogLine[]): Promise<void> {
    await this.#write(async (trx) => {
      await this.#lockRow(trx, id);
      const last = await trx
        .selectFrom('job_lines')
        .select((eb) => eb.fn.max('number').as('number'))
        .where('job_id', '=', id)
        .executeTakeFirst();
      const rows = lines.map((line, index) => ({
        job_id: id,
        number: Number(last?.number ?? 0) + index + 1,
        at: line.at.getTime(),
        level: line.level,
        step: line.step ?? null,
        message: line.message,
        hint: line.hint ?? null,
        item: line.item ?? null,
      }));
      await trx.insertInto('job_lines').values(rows).execute();
      await noteChange(trx, this.#context.clock.nowMs(), { type: 'log', id });
    });
  }

  /** Drops the history of jobs that ended before, in portions that hold nobody up. @returns how many */
  async prune(endedBefore: Date): Promise<number> {
    let count = 0;
    for (;;) {
      const dropped = await this.#write(async (trx) => {
        const rows = await trx
          .selectFrom('jobs')
          .select('id')
          .where('ended_at', '<', endedBefore.getTime())
          .orderBy('ended_at')
          .limit(prunedAtOnceMax)
          .execute();
        const ids = rows.map(({ id }) => id);
        if (ids.length === 0) return 0;
        await trx.deleteFrom('job_steps').where('job_id', 'in', ids).execute();
        await trx.deleteFrom('job_lines').where('job_id', 'in', ids).execute();
        await trx.deleteFrom('jobs').where('id', 'in', ids).execute();
        return ids.length;
      });
      count += dropped;
      if (dropped < prunedAtOnceMax) return count;
    }
  }

  async #end(
    trx: Transaction<Tables>,
    id: string,
    verdict: JobVerdict,
    generation?: number,
  ): Promise<boolean> {
    const nowMs = this.#context.clock.nowMs();
    let query = trx
      .updateTable('jobs')
      .set({
        state: verdict.state,
        reason: verdict.reason ? JSON.stringify(verdict.reason) : null,
        result: verdict.result === undefined ? null : JSON.stringify(verdict.result),
        progress: null,
        waits_for: null,
        ended_at: nowMs,
      })
      .where('id', '=', id)
      .where('state', 'in', live);
    if (generation !== undefined) query = query.where('generation', '=', generation);
    const row = await query.returning(['id', 'kind', 'plan']).executeTakeFirst();
    if (!row) return false;
    await trx.deleteFrom('job_limits').where('job_id', '=', id).execute();
    await noteChange(trx, nowMs, { type: 'job', id });
    await noteEvent(trx, nowMs, {
      type: `job.${verdict.state}`,
      severity: severities[verdict.state],
      message: `${row.kind}${row.plan ? ` of ${row.plan}` : ''}: ${verdict.reason?.message ?? verdict.state}`,
      plan: row.plan ?? undefined,
      facts: { jobId: id, kind: row.kind, ...(verdict.reason && { reason: verdict.reason }) },
    });
    return true;
  }

  /** Others that write to this job wait until we are done. */
  #lockRow(trx: Transaction<Tables>, id: string): Promise<{ state: string; generation: number } | undefined> {
    return trx
      .selectFrom('jobs')
      .select(['state', 'generation'])
      .where('id', '=', id)
      .$if(this.#context.kind === 'postgres', (query) => query.forUpdate())
      .executeTakeFirst();
  }

  #write<T>(work: (trx: Transaction<Tables>) => Promise<T>): Promise<T> {
    return this.#context.db.transaction().execute(work);
  }
}

const severities = {
  succeeded: 'info',
  cancelled: 'info',
  warning: 'warning',
  partial: 'error',
  failed: 'error',
  missed: 'error',
  interrupted: 'error',
} as const;

function cancelledBy(by: string | null): JobVerdict {
  return {
    state: 'cancelled',
    reason: { code: 'jobs.cancelled', message: `cancelled by ${by ?? 'somebody'}` },
  };
}
