import type { Transaction } from 'kysely';
import { takeTurn } from '../database/lock.ts';
import type { Tables } from '../database/schema.ts';
import { noteChange } from '../journal.ts';
import type { StoreContext } from '../records.ts';
import type { JobRecord } from './job.ts';
import { jobOf } from './job-rows.ts';

export interface DispatchOptions {
  /** Only jobs of these kinds and versions. */
  kinds: readonly { name: string; version: number }[];
  /** How many jobs may hold a limit of this name at once. A `!` at its end is not asked about: one, and nobody beside. */
  capacityOf(limit: string): number;
  /** Jobs that may be handed over and not begun. */
  countMax: number;
}

/** Queued jobs that are looked at in one pass: behind so many that wait, nobody is overlooked for long. */
const lookedAtMax = 1000;

export async function dispatchJobs(
  trx: Transaction<Tables>,
  { kinds, capacityOf, countMax }: DispatchOptions,
  context: StoreContext,
): Promise<JobRecord[]> {
  await takeTurn(trx, context, 'dispatch');
  const under = await trx
    .selectFrom('jobs')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('state', '=', 'queued')
    .where('dispatched_at', 'is not', null)
    .where('waits_for', 'is', null)
    .executeTakeFirstOrThrow();
  let room = countMax - Number(under.count);
  if (room <= 0) return [];
  const waiting = await trx
    .selectFrom('jobs')
    .selectAll()
    .where('state', '=', 'queued')
    .where('dispatched_at', 'is', null)
    .where((eb) => eb.or(kinds.map(({ name, version }) => eb.and({ kind: name, version }))))
    .orderBy('id')
    .limit(lookedAtMax)
    .execute();
  const held = await heldLimits(trx);
  const nowMs = context.clock.nowMs();
  const handedOver: JobRecord[] = [];
  for (const row of waiting) {
    if (room <= 0) break;
    const job = jobOf(row);
    const full = job.limits.find((limit) => isFull(limit, held, capacityOf));
    const waitsFor = full === undefined ? null : sentenceOf(full, held);
    // Who wants something alone is not passed by: those behind it wait too.
    if (full?.endsWith('!')) held.set(full, Math.max(held.get(full) ?? 0, 1));
    if (full !== undefined && row.waits_for === waitsFor) continue;
    const { numUpdatedRows } = await trx
      .updateTable('jobs')
      .set({ waits_for: waitsFor, ...(full === undefined && { dispatched_at: nowMs }) })
      .where('id', '=', row.id)
      .where('state', '=', 'queued')
      .executeTakeFirst();
    // It was cancelled while we looked.
    if (numUpdatedRows === 0n) continue;
    if (full === undefined) {
      for (const name of job.limits) held.set(name, (held.get(name) ?? 0) + 1);
      if (job.limits.length > 0)
        await trx
          .insertInto('job_limits')
          .values(job.limits.map((name) => ({ name, job_id: row.id })))
          .execute();
      handedOver.push(job);
      room--;
    }
    await noteChange(trx, nowMs, { type: 'job', id: row.id });
  }
  return handedOver;
}

async function heldLimits(trx: Transaction<Tables>): Promise<Map<string, number>> {
  const rows = await trx
    .selectFrom('job_limits')
    .select(['name', (eb) => eb.fn.countAll<number>().as('count')])
    .groupBy('name')
    .execute();
  return new Map(rows.map(({ name, count }) => [name, Number(count)]));
}

/** `storage:nas!` is `storage:nas`, and nobody else beside. */
function isFull(
  limit: string,
  held: ReadonlyMap<string, number>,
  capacityOf: DispatchOptions['capacityOf'],
): boolean {
  const [shared, sole] = bothOf(limit).map((name) => held.get(name) ?? 0);
  return sole! > 0 || shared! >= (limit.endsWith('!') ? 1 : capacityOf(limit));
}

function bothOf(limit: string): [shared: string, sole: string] {
  const shared = limit.replace(/!$/, '');
  return [shared, `${shared}!`];
}

/** `storage:nas` held by 2: "2 jobs on storage nas run already" */
function sentenceOf(limit: string, held: ReadonlyMap<string, number>): string {
  const [shared, sole] = bothOf(limit);
  const count = (held.get(shared) ?? 0) + (held.get(sole) ?? 0);
  const [kind, ...name] = shared.split(':');
  const where = name.length > 0 ? `${kind} ${name.join(':')}` : kind;
  return count === 1 ? `another job on ${where} runs already` : `${count} jobs on ${where} run already`;
}
