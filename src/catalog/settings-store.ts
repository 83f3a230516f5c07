import { noteChange } from './journal.ts';
import { fromJson, type StoreContext } from './records.ts';

/** Named values of the server, as JSON; and how far each schedule was looked at. */
export class SettingsStore {
  readonly #context: StoreContext;

  constructor(context: StoreContext) {
    this.#context = context;
  }

  async find<T>(name: string): Promise<T | undefined> {
    const row = await this.#context.db
      .selectFrom('settings')
      .select('value')
      .where('name', '=', name)
      .executeTakeFirst();
    return row && fromJson<T>(row.value);
  }

  async save(name: string, value: unknown): Promise<void> {
    const { db, clock } = this.#context;
    const row = { name, value: JSON.stringify(value) };
    await db.transaction().execute(async (trx) => {
      await trx
        .insertInto('settings')
        .values(row)
        .onConflict((conflict) => conflict.column('name').doUpdateSet({ value: row.value }))
        .execute();
      await noteChange(trx, clock.nowMs(), { type: 'changed', noun: 'settings', name });
    });
  }

  /** Replaces a value if it still is what was read. @returns false when somebody else was quicker */
  async swap(name: string, { from, to }: { from: unknown; to: unknown }): Promise<boolean> {
    const { db, clock } = this.#context;
    return db.transaction().execute(async (trx) => {
      const value = JSON.stringify(to);
      const { isOurs } =
        from === undefined
          ? await trx
              .insertInto('settings')
              .values({ name, value })
              .onConflict((conflict) => conflict.column('name').doNothing())
              .executeTakeFirst()
              .then(({ numInsertedOrUpdatedRows }) => ({ isOurs: numInsertedOrUpdatedRows === 1n }))
          : await trx
              .updateTable('settings')
              .set({ value })
              .where('name', '=', name)
              .where('value', '=', JSON.stringify(from))
              .executeTakeFirst()
              .then(({ numUpdatedRows }) => ({ isOurs: numUpdatedRows > 0n }));
      if (isOurs) await noteChange(trx, clock.nowMs(), { type: 'changed', noun: 'settings', name });
      return isOurs;
    });
  }

  async remove(name: string): Promise<void> {
    await this.#context.db.deleteFrom('settings').where('name', '=', name).execute();
  }

  /** Until when the runs of a schedule were made or reported; undefined for a new one. */
  async handledUntil(schedule: string): Promise<Date | undefined> {
    const row = await this.#context.db
      .selectFrom('schedules')
      .select('handled_until')
      .where('name', '=', schedule)
      .executeTakeFirst();
    return row && new Date(row.handled_until);
  }

  async saveHandledUntil(schedule: string, until: Date): Promise<void> {
    const handled = { handled_until: until.getTime() };
    await this.#context.db
      .insertInto('schedules')
      .values({ name: schedule, ...handled })
      .onConflict((conflict) => conflict.column('name').doUpdateSet(handled))
      .execute();
  }
}
