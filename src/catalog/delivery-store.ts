import type { Selectable } from 'kysely';
import type { Tables } from './database/schema.ts';
import type { Reason } from './jobs/job.ts';
import { noteChange } from './journal.ts';
import { newId } from './new-id.ts';
import {
  compact,
  dateOf,
  fromJson,
  type Page,
  type PageRequest,
  pageOf,
  type StoreContext,
} from './records.ts';

type DeliveryState = 'waiting' | 'delivered' | 'failed' | 'suppressed';

export interface NewDelivery {
  /** Name of the channel. */
  channel: string;
  /** Absent: a test. */
  eventNumber?: number | undefined;
  /** What is told, through JSON, to be told again as it was. Never a secret. */
  notification: unknown;
  /** What is told once and not again while it lasts. */
  dedupeKey?: string | undefined;
}

/** One thing that one channel is told, or is not. */
export interface DeliveryRecord extends NewDelivery {
  id: string;
  state: DeliveryState;
  /** 0 before the first. */
  attempt: number;
  /** Of the last attempt; before the first, when it was made. */
  at: Date;
  nextAt?: Date;
  reason?: Reason;
}

/** How an attempt ended. With `nextAt` it waits for another one. */
export type DeliveryOutcome =
  | { state: 'waiting'; nextAt: Date; reason: Reason }
  | { state: 'delivered' | 'failed'; reason?: Reason };

/** How long a sender that claimed a delivery has for it; then another one may try. */
const claimMs = 300_000;

/** Notifications on their way. A delivery keeps its id through all attempts, so that a receiver can know it again. */
export class DeliveryStore {
  readonly #context: StoreContext;

  constructor(context: StoreContext) {
    this.#context = context;
  }

  /** @param suppressed why it is not told at all; kept so that people see it */
  async add(delivery: NewDelivery, suppressed?: Reason): Promise<DeliveryRecord> {
    const { db, clock, random } = this.#context;
    const nowMs = clock.nowMs();
    return db.transaction().execute(async (trx) => {
      const row = await trx
        .insertInto('deliveries')
        .values({
          id: newId(clock, random),
          channel: delivery.channel,
          event_number: delivery.eventNumber ?? null,
          notification: JSON.stringify(delivery.notification),
          dedupe_key: delivery.dedupeKey ?? null,
          state: suppressed ? 'suppressed' : 'waiting',
          attempt: 0,
          at: nowMs,
          next_at: suppressed ? null : nowMs,
          reason: suppressed ? JSON.stringify(suppressed) : null,
        })
        .returningAll()
        .executeTakeFirstOrThrow();
      await noteChange(trx, nowMs, { type: 'changed', noun: 'delivery', name: row.channel });
      return deliveryOf(row);
    });
  }

  /** Takes deliveries whose time has come, the longest due first, for one attempt; nobody else gets them meanwhile. */
  async claimDue({ limit }: { limit: number }): Promise<DeliveryRecord[]> {
    const { db, clock, kind } = this.#context;
    const nowMs = clock.nowMs();
    return db.transaction().execute(async (trx) => {
      const due = await trx
        .selectFrom('deliveries')
        .select('id')
        .where('state', '=', 'waiting')
        .where('next_at', '<=', nowMs)
        .orderBy('next_at')
        .limit(limit)
        .$if(kind === 'postgres', (query) => query.forUpdate().skipLocked())
        .execute();
      if (due.length === 0) return [];
      const rows = await trx
        .updateTable('deliveries')
        .set((eb) => ({ attempt: eb('attempt', '+', 1), at: nowMs, next_at: nowMs + claimMs }))
        .where(
          'id',
          'in',
          due.map(({ id }) => id),
        )
        .returningAll()
        .execute();
      return rows.map(deliveryOf);
    });
  }

  /** Of an attempt that another one overtook, the end is not accepted. @returns whether it was */
  async settle(
    { id, attempt }: Pick<DeliveryRecord, 'id' | 'attempt'>,
    outcome: DeliveryOutcome,
  ): Promise<boolean> {
    const { db, clock } = this.#context;
    return db.transaction().execute(async (trx) => {
      const row = await trx
        .updateTable('deliveries')
        .set({
          state: outcome.state,
          next_at: outcome.state === 'waiting' ? outcome.nextAt.getTime() : null,
          reason: outcome.reason ? JSON.stringify(outcome.reason) : null,
        })
        .where('id', '=', id)
        .where('attempt', '=', attempt)
        .where('state', '=', 'waiting')
        .returning('channel')
        .executeTakeFirst();
      if (!row) return false;
      await noteChange(trx, clock.nowMs(), { type: 'changed', noun: 'delivery', name: row.channel });
      return true;
    });
  }

  /** Newest first. */
  async list(
    { channel }: { channel?: string | undefined },
    page: PageRequest,
  ): Promise<Page<DeliveryRecord>> {
    let query = this.#context.db
      .selectFrom('deliveries')
      .selectAll()
      .orderBy('id', 'desc')
      .limit(page.limit + 1);
    if (channel !== undefined) query = query.where('channel', '=', channel);
    if (page.cursor !== undefined) query = query.where('id', '<', page.cursor);
    return pageOf(await query.execute(), page, { cursorOf: ({ id }) => id, itemOf: deliveryOf });
  }

  /** The newest thing that a channel was told, or will be, under this key. */
  async lastTold({
    channel,
    dedupeKey,
  }: {
    channel: string;
    dedupeKey: string;
  }): Promise<DeliveryRecord | undefined> {
    const row = await this.#context.db
      .selectFrom('deliveries')
      .selectAll()
      .where('channel', '=', channel)
      .where('dedupe_key', '=', dedupeKey)
      .where('state', 'in', ['waiting', 'delivered'])
      .orderBy('id', 'desc')
      .limit(1)
      .executeTakeFirst();
    return row && deliveryOf(row);
  }

  /** Drops what is no longer under way and was last tried before. */
  async prune(before: Date): Promise<void> {
    await this.#context.db
      .deleteFrom('deliveries')
      .where('state', '!=', 'waiting')
      .where('at', '<', before.getTime())
      .execute();
  }
}

function deliveryOf(row: Selectable<Tables['deliveries']>): DeliveryRecord {
  return compact({
    id: row.id,
    channel: row.channel,
    eventNumber: row.event_number ?? undefined,
    notification: JSON.parse(row.notification) as unknown,
    dedupeKey: row.dedupe_key ?? undefined,
    state: row.state as DeliveryState,
    attempt: row.attempt,
    at: new Date(row.at),
    nextAt: dateOf(row.next_at),
    reason: fromJson<Reason>(row.reason),
  }) as DeliveryRecord;
}
