import { type Selectable, sql, type Transaction } from 'kysely';
import type { Tables } from './database/schema.ts';
import { compact, fromJson, type StoreContext } from './records.ts';

/** What live pages have to hear: something is other than it was. */
export type Change =
  | { type: 'job'; id: string }
  | { type: 'log'; id: string }
  | { type: 'event'; number: number }
  | { type: 'changed'; noun: string; name?: string };

export type Severity = 'info' | 'warning' | 'error' | 'critical';

/** A fact with a time. */
export interface NewEvent {
  /** `job.failed`, `plan.late` … */
  type: string;
  severity: Severity;
  message: string;
  plan?: string | undefined;
  /** What else is known: hint, job, repository, who did it. */
  facts?: Record<string, unknown>;
}

export interface EventRecord extends NewEvent {
  number: number;
  at: Date;
}

/** Writes a change in the transaction of what changed. */
export async function noteChange(trx: Transaction<Tables>, nowMs: number, change: Change): Promise<void> {
  await trx
    .insertInto('changes')
    .values({ at: nowMs, payload: JSON.stringify(change) })
    .execute();
}

/** Writes an event in the transaction of what happened. */
export async function noteEvent(trx: Transaction<Tables>, nowMs: number, event: NewEvent): Promise<void> {
  const { number } = await trx
    .insertInto('events')
    .values({
      at: nowMs,
      type: event.type,
      severity: event.severity,
      message: event.message,
      plan: event.plan ?? null,
      facts: JSON.stringify(event.facts ?? {}),
    })
    .returning('number')
    .executeTakeFirstOrThrow();
  await noteChange(trx, nowMs, { type: 'event', number });
}

/**
 * PostgreSQL gives a number before the commit, so that a higher one may be seen earlier. True where no lower one can
 * come any more.
 */
const isSettled = sql<boolean>`txid < pg_snapshot_xmin(pg_current_snapshot())`;

/** Changes for live pages, and events that are kept. */
export class Journal {
  readonly #context: StoreContext;

  constructor(context: StoreContext) {
    this.#context = context;
  }

  async add(event: NewEvent): Promise<void> {
    const { db, clock } = this.#context;
    await db.transaction().execute((trx) => noteEvent(trx, clock.nowMs(), event));
  }

  async changed(change: Change): Promise<void> {
    const { db, clock } = this.#context;
    await db.transaction().execute((trx) => noteChange(trx, clock.nowMs(), change));
  }

  /** @returns changes after a number, oldest first; `isComplete` is false when older ones were dropped in between */
  async changesAfter(
    number: number,
    limit: number,
  ): Promise<{ changes: { number: number; change: Change }[]; isComplete: boolean }> {
    const { db, kind } = this.#context;
    const rows = await db
      .selectFrom('changes')
      .select(['number', 'payload'])
      .where('number', '>', number)
      .$if(kind === 'postgres', (query) => query.where(isSettled))
      .orderBy('number')
      .limit(limit)
      .execute();
    const oldest = await db
      .selectFrom('changes')
      .select((eb) => eb.fn.min('number').as('number'))
      .executeTakeFirst();
    const isComplete = oldest?.number == null || Number(oldest.number) <= number + 1;
    return {
      changes: rows.map((row) => ({ number: row.number, change: JSON.parse(row.payload) as Change })),
      isComplete,
    };
  }

  /** Changes after this number are still to come. */
  async newestChange(): Promise<number> {
    const { db, kind } = this.#context;
    const row = await db
      .selectFrom('changes')
      .select((eb) => eb.fn.max('number').as('number'))
      .$if(kind === 'postgres', (query) => query.where(isSettled))
      .executeTakeFirst();
    return Number(row?.number ?? 0);
  }

  /** Newest first. */
  async events({
    before,
    limit,
    plan,
  }: {
    before?: number | undefined;
    limit: number;
    plan?: string | undefined;
  }): Promise<EventRecord[]> {
    let query = this.#context.db.selectFrom('events').selectAll().orderBy('number', 'desc').limit(limit);
    if (before !== undefined) query = query.where('number', '<', before);
    if (plan !== undefined) query = query.where('plan', '=', plan);
    return (await query.execute()).map(eventOf);
  }

  /** Those of these numbers, oldest first. */
  async eventsOf(numbers: readonly number[]): Promise<EventRecord[]> {
    if (numbers.length === 0) return [];
    const query = this.#context.db
      .selectFrom('events')
      .selectAll()
      .where('number', 'in', [...numbers]);
    return (await query.orderBy('number').execute()).map(eventOf);
  }

  /** Those after a number, oldest first. */
  async eventsAfter(number: number, limit: number): Promise<EventRecord[]> {
    const query = this.#context.db.selectFrom('events').selectAll().where('number', '>', number);
    return (await query.orderBy('number').limit(limit).execute()).map(eventOf);
  }

  /** Drops changes that no page will ask for any more, but for the newest, and events that are too old. */
  async prune({ changesBefore, eventsBefore }: { changesBefore: Date; eventsBefore: Date }): Promise<void> {
    const { db } = this.#context;
    await db
      .deleteFrom('changes')
      .where('at', '<', changesBefore.getTime())
      // By what is left, those who were away see that they missed some.
      .where('number', '<', (eb) => eb.selectFrom('changes').select(eb.fn.max('number').as('newest')))
      .execute();
    await db.deleteFrom('events').where('at', '<', eventsBefore.getTime()).execute();
  }
}

function eventOf(row: Selectable<Tables['events']>): EventRecord {
  return compact({
    number: row.number,
    at: new Date(row.at),
    type: row.type,
    severity: row.severity as Severity,
    message: row.message,
    plan: row.plan ?? undefined,
    facts: fromJson<Record<string, unknown>>(row.facts),
  }) as EventRecord;
}
