import type { Selectable, Transaction } from 'kysely';
import type { Tables } from './database/schema.ts';
import { CatalogError } from './errors.ts';
import { noteChange } from './journal.ts';
import { newId } from './new-id.ts';
import { fromJson, type Page, type PageRequest, pageOf, type StoreContext } from './records.ts';

/** Where a thing was configured; what came from the file is changed there only. */
export type Origin = { from: 'file'; line: number } | { from: 'dashboard' } | { from: 'holdfast' };

/** Something that people configured, under a name. */
export interface Configured<Spec> {
  id: string;
  name: string;
  spec: Spec;
  origin: Origin;
  /** Grows with each change. */
  revision: number;
  createdAt: Date;
  updatedAt: Date;
}

/** One of several changes that are made together. */
export interface ConfiguredWrite {
  noun: 'repository' | 'source' | 'plan' | 'channel';
  name: string;
  /** Without one, what has the name is removed. */
  spec?: unknown;
  origin?: Origin;
}

/** Adds, replaces and removes, all or nothing. */
export async function writeConfigured(
  { db, clock, random }: StoreContext,
  writes: readonly ConfiguredWrite[],
): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const nowMs = clock.nowMs();
    for (const { noun, name, spec, origin } of writes) {
      if (spec === undefined)
        await trx.deleteFrom('configured').where('noun', '=', noun).where('name', '=', name).execute();
      else {
        const said = { spec: JSON.stringify(spec), origin: JSON.stringify(origin), updated_at: nowMs };
        await trx
          .insertInto('configured')
          .values({ noun, id: newId(clock, random), name, revision: 1, created_at: nowMs, ...said })
          .onConflict((conflict) =>
            conflict
              .columns(['noun', 'name'])
              .doUpdateSet((eb) => ({ ...said, revision: eb('configured.revision', '+', 1) })),
          )
          .execute();
      }
      await noteChange(trx, nowMs, { type: 'changed', noun, name });
    }
  });
}

/** Repositories, sources, plans or channels. The specification is checked by who gives it, and by `parse` when read. */
export class ConfiguredStore<Spec> {
  readonly #context: StoreContext;
  readonly #noun: string;
  readonly #parse: (spec: unknown) => Spec;

  constructor(context: StoreContext, noun: string, parse: (spec: unknown) => Spec) {
    this.#context = context;
    this.#noun = noun;
    this.#parse = parse;
  }

  /** All of them, by name: there are hundreds, not millions. */
  async list(): Promise<Configured<Spec>[]> {
    const rows = await this.#select().orderBy('name').execute();
    return rows.map((row) => this.#recordOf(row));
  }

  /** A page of them, by name. */
  async page(page: PageRequest): Promise<Page<Configured<Spec>>> {
    let query = this.#select()
      .orderBy('name')
      .limit(page.limit + 1);
    if (page.cursor !== undefined) query = query.where('name', '>', page.cursor);
    return pageOf(await query.execute(), page, {
      cursorOf: ({ name }) => name,
      itemOf: (row) => this.#recordOf(row),
    });
  }

  async find(name: string): Promise<Configured<Spec> | undefined> {
    const row = await this.#select().where('name', '=', name).executeTakeFirst();
    return row && this.#recordOf(row);
  }

  /** @throws CatalogError 'catalog.absent' */
  async get(name: string): Promise<Configured<Spec>> {
    const found = await this.find(name);
    if (found) return found;
    throw new CatalogError('catalog.absent', `there is no ${this.#noun} "${name}"`, {
      hint: `Look at the list of ${this.#noun}s for the right name.`,
    });
  }

  /** @throws CatalogError 'catalog.exists' */
  async add({ name, spec, origin }: { name: string; spec: Spec; origin: Origin }): Promise<Configured<Spec>> {
    const { clock, random } = this.#context;
    return this.#write(name, async (trx, nowMs) => {
      const row = await trx
        .insertInto('configured')
        .values({
          noun: this.#noun,
          id: newId(clock, random),
          name,
          spec: JSON.stringify(spec),
          origin: JSON.stringify(origin),
          revision: 1,
          created_at: nowMs,
          updated_at: nowMs,
        })
        .onConflict((conflict) => conflict.columns(['noun', 'name']).doNothing())
        .returningAll()
        .executeTakeFirst();
      if (row) return this.#recordOf(row);
      throw new CatalogError('catalog.exists', `there is a ${this.#noun} "${name}" already`, {
        hint: 'Choose another name, or change the one that is there.',
      });
    });
  }

  /**
   * Replaces a specification.
   * @param change.revision the one that was read; without it, whatever is there is replaced
   * @throws CatalogError 'catalog.absent', 'catalog.changed' when somebody else was quicker
   */
  async change(
    name: string,
    change: { spec: Spec; origin?: Origin; revision?: number | undefined },
  ): Promise<Configured<Spec>> {
    const before = await this.get(name);
    return this.#write(name, async (trx, nowMs) => {
      const row = await trx
        .updateTable('configured')
        .set((eb) => ({
          spec: JSON.stringify(change.spec),
          revision: eb('revision', '+', 1),
          updated_at: nowMs,
          ...(change.origin && { origin: JSON.stringify(change.origin) }),
        }))
        .where('noun', '=', this.#noun)
        .where('name', '=', name)
        .where('revision', '=', change.revision ?? before.revision)
        .returningAll()
        .executeTakeFirst();
      if (row) return this.#recordOf(row);
      throw new CatalogError('catalog.changed', `the ${this.#noun} "${name}" was changed by somebody else`, {
        hint: 'Load it again, look at what is new, and make your change once more.',
      });
    });
  }

  /** Removing what is not there is no error. */
  async remove(name: string): Promise<void> {
    await this.#write(name, async (trx) => {
      await trx.deleteFrom('configured').where('noun', '=', this.#noun).where('name', '=', name).execute();
    });
  }

  #select() {
    return this.#context.db.selectFrom('configured').selectAll().where('noun', '=', this.#noun);
  }

  #recordOf(row: Selectable<Tables['configured']>): Configured<Spec> {
    return {
      id: row.id,
      name: row.name,
      spec: this.#parse(fromJson<unknown>(row.spec)),
      origin: JSON.parse(row.origin) as Origin,
      revision: row.revision,
      createdAt: new Date(row.created_at),
      updatedAt: new Date(row.updated_at),
    };
  }

  async #write<T>(name: string, work: (trx: Transaction<Tables>, nowMs: number) => Promise<T>): Promise<T> {
    const nowMs = this.#context.clock.nowMs();
    return this.#context.db.transaction().execute(async (trx) => {
      const done = await work(trx, nowMs);
      await noteChange(trx, nowMs, { type: 'changed', noun: this.#noun, name });
      return done;
    });
  }
}
