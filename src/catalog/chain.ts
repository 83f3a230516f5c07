import { createHash } from 'node:crypto';
import type { Selectable } from 'kysely';
import { takeTurn } from './database/lock.ts';
import type { Tables } from './database/schema.ts';
import { newId } from './new-id.ts';
import { compact, type Page, type PageRequest, pageOf, type StoreContext } from './records.ts';

/** Who did what; what proved a snapshot. */
export type ChainName = 'audit' | 'evidence';

export interface NewChainEntry {
  /** By what entries are looked up: a user, a plan. */
  subject?: string | undefined;
  /** Through JSON. Never a secret. */
  body: Record<string, unknown>;
}

export interface ChainEntry extends NewChainEntry {
  /** From 1, without gaps. */
  number: number;
  id: string;
  at: Date;
  /** SHA-256 of this entry and of the hash before it, in hex. */
  hash: string;
}

/** A chain as it was found: unbroken up to its end, or to the entry before `brokenAt`. */
export interface ChainState {
  count: number;
  /** Of the last entry; kept elsewhere, it shows that nobody cut the end off. */
  hash: string;
  brokenAt?: number;
}

const readAtOnce = 1000;
const beginning = '';

/** Facts in an order that nobody changes unseen: entries are only added, and each one seals those before. */
export class Chain {
  readonly #context: StoreContext;
  readonly #name: ChainName;

  constructor(context: StoreContext, name: ChainName) {
    this.#context = context;
    this.#name = name;
  }

  async append({ subject, body }: NewChainEntry): Promise<ChainEntry> {
    const { db, clock, random } = this.#context;
    return db.transaction().execute(async (trx) => {
      await takeTurn(trx, this.#context, this.#name);
      const last = await trx
        .selectFrom('chain_entries')
        .select(['number', 'hash'])
        .where('chain', '=', this.#name)
        .orderBy('number', 'desc')
        .limit(1)
        .executeTakeFirst();
      const row = {
        chain: this.#name,
        number: (last?.number ?? 0) + 1,
        id: newId(clock, random),
        at: clock.nowMs(),
        subject: subject ?? null,
        body: JSON.stringify(body),
        previous: last?.hash ?? beginning,
      };
      const entry = { ...row, hash: hashOf(row) };
      await trx.insertInto('chain_entries').values(entry).execute();
      return entryOf(entry);
    });
  }

  async find(id: string): Promise<ChainEntry | undefined> {
    const row = await this.#select().where('id', '=', id).executeTakeFirst();
    return row && entryOf(row);
  }

  /** Newest first. */
  async list({ subject }: { subject?: string | undefined }, page: PageRequest): Promise<Page<ChainEntry>> {
    let query = this.#select()
      .orderBy('number', 'desc')
      .limit(page.limit + 1);
    if (subject !== undefined) query = query.where('subject', '=', subject);
    if (page.cursor !== undefined) query = query.where('number', '<', Number(page.cursor));
    return pageOf(await query.execute(), page, { cursorOf: ({ number }) => `${number}`, itemOf: entryOf });
  }

  /** Reads every entry and works its hash out again. */
  async verify(): Promise<ChainState> {
    let state: ChainState = { count: 0, hash: beginning };
    for (;;) {
      const rows = await this.#select()
        .where('number', '>', state.count)
        .orderBy('number')
        .limit(readAtOnce)
        .execute();
      for (const row of rows) {
        const isNext = row.number === state.count + 1 && row.previous === state.hash;
        if (!isNext || row.hash !== hashOf(row)) return { ...state, brokenAt: state.count + 1 };
        state = { count: row.number, hash: row.hash };
      }
      if (rows.length < readAtOnce) return state;
    }
  }

  #select() {
    return this.#context.db.selectFrom('chain_entries').selectAll().where('chain', '=', this.#name);
  }
}

type Row = Selectable<Tables['chain_entries']>;

/** SHA-256 of the JSON array of all columns but the hash, in the order of the table. */
function hashOf({ previous, chain, number, id, at, subject, body }: Omit<Row, 'hash'>): string {
  const text = JSON.stringify([chain, number, id, at, subject, body, previous]);
  return createHash('sha256').update(text).digest('hex');
}

function entryOf(row: Row): ChainEntry {
  return compact({
    number: row.number,
    id: row.id,
    at: new Date(row.at),
    subject: row.subject ?? undefined,
    body: JSON.parse(row.body) as Record<string, unknown>,
    hash: row.hash,
  }) as ChainEntry;
}
