import type { Selectable, Transaction } from 'kysely';
import type { Tables } from './database/schema.ts';
import { noteChange } from './journal.ts';
import { compact, dateOf, type Page, type PageRequest, pageOf, type StoreContext } from './records.ts';

/** When a snapshot reached a rung of the ladder, or failed on it. */
export interface BadgeRecord {
  rung: string;
  state: 'proven' | 'failed';
  at: string;
  jobId?: string;
  note?: string;
}

/** What keeps a snapshot from being forgotten. */
export interface PinRecord {
  kind: 'pin' | 'legal-hold';
  by: string;
  at: string;
  note: string;
  until?: string;
}

/** A snapshot that we know of. The repository is the truth about what is in it. */
export interface SnapshotRecord {
  /** Name of the repository, and the snapshot's id there. */
  repository: string;
  id: string;
  plan?: string;
  source?: string;
  jobId?: string;
  takenAt: Date;
  /** Host, paths, sizes, the job's state. */
  facts: Record<string, unknown>;
  badges: BadgeRecord[];
  pins: PinRecord[];
  /** In the trash since, and until when it can be taken back. */
  forgottenAt?: Date;
  trashUntil?: Date;
}

/** Where a snapshot lies, and which it is. */
interface SnapshotPlace {
  repository: string;
  id: string;
}

export interface SnapshotChoice {
  repository?: string | undefined;
  plan?: string | undefined;
  source?: string | undefined;
  /** Those in the trash too. */
  withTrash?: boolean | undefined;
}

/** What we know of snapshots beside what their repositories say: proof, pins, trash. */
export class SnapshotStore {
  readonly #context: StoreContext;

  constructor(context: StoreContext) {
    this.#context = context;
  }

  /** Adds what is new; what is known keeps its badges, pins and place in the trash. */
  async save(records: readonly Omit<SnapshotRecord, 'badges' | 'pins'>[]): Promise<void> {
    await this.#write(async (trx) => {
      for (const record of records) {
        const facts = {
          plan: record.plan ?? null,
          source: record.source ?? null,
          job_id: record.jobId ?? null,
          taken_at: record.takenAt.getTime(),
          facts: JSON.stringify(record.facts),
        };
        await trx
          .insertInto('snapshots')
          .values({
            repository: record.repository,
            id: record.id,
            ...facts,
            badges: '[]',
            pins: '[]',
            forgotten_at: null,
            trash_until: null,
          })
          .onConflict((conflict) => conflict.columns(['repository', 'id']).doUpdateSet(facts))
          .execute();
      }
    });
  }

  /** Forgets what we knew of snapshots that their repository has no more. */
  async remove(repository: string, ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    await this.#write(async (trx) => {
      await trx
        .deleteFrom('snapshots')
        .where('repository', '=', repository)
        .where('id', 'in', [...ids])
        .execute();
    });
  }

  async find(repository: string, id: string): Promise<SnapshotRecord | undefined> {
    const row = await this.#context.db
      .selectFrom('snapshots')
      .selectAll()
      .where('repository', '=', repository)
      .where('id', '=', id)
      .executeTakeFirst();
    return row && snapshotOf(row);
  }

  /** Newest first. */
  async list(choice: SnapshotChoice, page: PageRequest): Promise<Page<SnapshotRecord>> {
    let query = this.#context.db
      .selectFrom('snapshots')
      .selectAll()
      .orderBy('taken_at', 'desc')
      .orderBy('id', 'desc')
      .orderBy('repository', 'desc')
      .limit(page.limit + 1);
    if (choice.repository !== undefined) query = query.where('repository', '=', choice.repository);
    if (choice.plan !== undefined) query = query.where('plan', '=', choice.plan);
    if (choice.source !== undefined) query = query.where('source', '=', choice.source);
    if (!choice.withTrash) query = query.where('forgotten_at', 'is', null);
    if (page.cursor !== undefined) {
      const [takenAt, id, ...repository] = page.cursor.split('_');
      // A mirrored repository has the same snapshots.
      query = query.where((eb) =>
        eb(
          eb.refTuple('taken_at', 'id', 'repository'),
          '<',
          eb.tuple(Number(takenAt), id ?? '', repository.join('_')),
        ),
      );
    }
    return pageOf(await query.execute(), page, {
      cursorOf: (row) => `${row.taken_at}_${row.id}_${row.repository}`,
      itemOf: snapshotOf,
    });
  }

  /** All of one repository, newest first. */
  async ofRepository(repository: string): Promise<SnapshotRecord[]> {
    const rows = await this.#context.db
      .selectFrom('snapshots')
      .selectAll()
      .where('repository', '=', repository)
      .orderBy('taken_at', 'desc')
      .execute();
    return rows.map(snapshotOf);
  }

  /** The newest badge of a rung replaces the one before. */
  async addBadge(place: SnapshotPlace, badge: BadgeRecord): Promise<void> {
    await this.addBadges([place], badge);
  }

  /** One badge for many, at once. */
  async addBadges(places: readonly SnapshotPlace[], badge: BadgeRecord): Promise<void> {
    if (places.length === 0) return;
    await this.#write(async (trx) => {
      for (const place of places)
        await this.#change(trx, place, ({ badges }) => ({
          badges: JSON.stringify([...badges.filter(({ rung }) => rung !== badge.rung), badge]),
        }));
    });
  }

  async savePins(place: SnapshotPlace, pins: readonly PinRecord[]): Promise<void> {
    await this.#write((trx) => this.#change(trx, place, () => ({ pins: JSON.stringify(pins) })));
  }

  /** Puts snapshots into the trash, where they can be taken back until. What is there already stays as long as it was to. */
  async moveToTrash(repository: string, ids: readonly string[], until: Date): Promise<void> {
    if (ids.length === 0) return;
    await this.#write(async (trx, nowMs) => {
      await trx
        .updateTable('snapshots')
        .set({ forgotten_at: nowMs, trash_until: until.getTime() })
        .where('repository', '=', repository)
        .where('id', 'in', [...ids])
        .where('forgotten_at', 'is', null)
        .execute();
    });
  }

  /** @returns whether it was in the trash */
  async takeBack({ repository, id }: { repository: string; id: string }): Promise<boolean> {
    return this.#write(async (trx) => {
      const { numUpdatedRows } = await trx
        .updateTable('snapshots')
        .set({ forgotten_at: null, trash_until: null })
        .where('repository', '=', repository)
        .where('id', '=', id)
        .where('forgotten_at', 'is not', null)
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    });
  }

  async #change(
    trx: Transaction<Tables>,
    { repository, id }: SnapshotPlace,
    change: (record: SnapshotRecord) => { badges?: string; pins?: string },
  ): Promise<void> {
    const row = await trx
      .selectFrom('snapshots')
      .selectAll()
      .where('repository', '=', repository)
      .where('id', '=', id)
      .$if(this.#context.kind === 'postgres', (query) => query.forUpdate())
      .executeTakeFirst();
    if (!row) return;
    await trx
      .updateTable('snapshots')
      .set(change(snapshotOf(row)))
      .where('repository', '=', repository)
      .where('id', '=', id)
      .execute();
  }

  async #write<T>(work: (trx: Transaction<Tables>, nowMs: number) => Promise<T>): Promise<T> {
    const nowMs = this.#context.clock.nowMs();
    return this.#context.db.transaction().execute(async (trx) => {
      const done = await work(trx, nowMs);
      await noteChange(trx, nowMs, { type: 'changed', noun: 'snapshot' });
      return done;
    });
  }
}

function snapshotOf(row: Selectable<Tables['snapshots']>): SnapshotRecord {
  return compact({
    repository: row.repository,
    id: row.id,
    plan: row.plan ?? undefined,
    source: row.source ?? undefined,
    jobId: row.job_id ?? undefined,
    takenAt: new Date(row.taken_at),
    facts: JSON.parse(row.facts) as Record<string, unknown>,
    badges: JSON.parse(row.badges) as BadgeRecord[],
    pins: JSON.parse(row.pins) as PinRecord[],
    forgottenAt: dateOf(row.forgotten_at),
    trashUntil: dateOf(row.trash_until),
  }) as SnapshotRecord;
}
