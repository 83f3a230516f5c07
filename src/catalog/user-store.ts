import type { Selectable } from 'kysely';
import { takeTurn } from './database/lock.ts';
import type { Tables } from './database/schema.ts';
import { CatalogError } from './errors.ts';
import { noteChange, noteEvent } from './journal.ts';
import { newId } from './new-id.ts';
import { compact, dateOf, type StoreContext } from './records.ts';

export interface UserRecord {
  id: string;
  username: string;
  displayName?: string | undefined;
  email?: string | undefined;
  role: string;
  /** With its parameters and salt; made and read by `access`. */
  passwordHash: string;
  isDisabled: boolean;
  createdAt: Date;
  lastSeenAt?: Date;
}

export type NewUser = Omit<UserRecord, 'id' | 'isDisabled' | 'createdAt' | 'lastSeenAt'>;

export interface SessionRecord {
  user: UserRecord;
  csrfToken: string;
  expiresAt: Date;
}

export interface TokenRecord {
  id: string;
  name: string;
  scopes: string[];
  userId: string;
  createdAt: Date;
  expiresAt?: Date;
  lastUsedAt?: Date;
}

/** Users, their sessions, their tokens. Of cookies and tokens only hashes are kept. */
export class UserStore {
  readonly #context: StoreContext;

  constructor(context: StoreContext) {
    this.#context = context;
  }

  async count(): Promise<number> {
    const row = await this.#context.db
      .selectFrom('users')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    return Number(row.count);
  }

  async list(): Promise<UserRecord[]> {
    const rows = await this.#context.db.selectFrom('users').selectAll().orderBy('username').execute();
    return rows.map(userOf);
  }

  async findByName(username: string): Promise<UserRecord | undefined> {
    return this.#find('username', username);
  }

  async find(id: string): Promise<UserRecord | undefined> {
    return this.#find('id', id);
  }

  /**
   * @param options.onlyFirst refuse when there is anybody yet, in the same transaction
   * @throws CatalogError 'catalog.exists'
   */
  async add(
    user: NewUser,
    { onlyFirst = false, by }: { onlyFirst?: boolean; by: string },
  ): Promise<UserRecord> {
    const { db, clock, random } = this.#context;
    return db.transaction().execute(async (trx) => {
      const nowMs = clock.nowMs();
      if (onlyFirst) {
        await takeTurn(trx, this.#context, 'users');
        const anybody = await trx.selectFrom('users').select('id').limit(1).executeTakeFirst();
        if (anybody)
          throw new CatalogError('catalog.exists', 'there is an administrator already', {
            hint: 'Sign in instead.',
          });
      }
      const row = await trx
        .insertInto('users')
        .values({
          id: newId(clock, random),
          username: user.username,
          display_name: user.displayName ?? null,
          email: user.email ?? null,
          role: user.role,
          password_hash: user.passwordHash,
          is_disabled: 0,
          created_at: nowMs,
          last_seen_at: null,
        })
        .onConflict((conflict) => conflict.column('username').doNothing())
        .returningAll()
        .executeTakeFirst();
      if (!row)
        throw new CatalogError('catalog.exists', `there is a user "${user.username}" already`, {
          hint: 'Choose another name.',
        });
      await noteEvent(trx, nowMs, {
        type: 'access.user-added',
        severity: 'info',
        message: `${user.username} was added as ${user.role}`,
        facts: { by },
      });
      return userOf(row);
    });
  }

  /** A user who is disabled, or whose password or role changes, is signed out everywhere. */
  async change(
    id: string,
    change: Partial<NewUser> & { isDisabled?: boolean },
    { by }: { by: string },
  ): Promise<UserRecord | undefined> {
    const { db, clock } = this.#context;
    return db.transaction().execute(async (trx) => {
      const row = await trx
        .updateTable('users')
        .set(
          compact({
            display_name: change.displayName,
            email: change.email,
            role: change.role,
            password_hash: change.passwordHash,
            is_disabled: change.isDisabled === undefined ? undefined : Number(change.isDisabled),
            id,
          }),
        )
        .where('id', '=', id)
        .returningAll()
        .executeTakeFirst();
      if (!row) return undefined;
      await trx.deleteFrom('sessions').where('user_id', '=', id).execute();
      await noteEvent(trx, clock.nowMs(), {
        type: 'access.user-changed',
        severity: 'info',
        message: `${row.username} was changed`,
        facts: { by, changed: Object.keys(change).filter((name) => name !== 'passwordHash') },
      });
      await noteChange(trx, clock.nowMs(), { type: 'changed', noun: 'user', name: id });
      return userOf(row);
    });
  }

  async addSession(session: {
    hash: string;
    userId: string;
    csrfToken: string;
    expiresAt: Date;
  }): Promise<void> {
    const { db, clock } = this.#context;
    const nowMs = clock.nowMs();
    await db.transaction().execute(async (trx) => {
      await trx.deleteFrom('sessions').where('expires_at', '<', nowMs).execute();
      await trx
        .insertInto('sessions')
        .values({
          hash: session.hash,
          user_id: session.userId,
          csrf_token: session.csrfToken,
          created_at: nowMs,
          expires_at: session.expiresAt.getTime(),
        })
        .execute();
      await trx.updateTable('users').set({ last_seen_at: nowMs }).where('id', '=', session.userId).execute();
    });
  }

  /** @returns undefined when there is none, it is over, or its user is disabled */
  async findSession(hash: string): Promise<SessionRecord | undefined> {
    const { db, clock } = this.#context;
    const row = await db
      .selectFrom('sessions')
      .innerJoin('users', 'users.id', 'sessions.user_id')
      .selectAll('users')
      .select(['sessions.csrf_token', 'sessions.expires_at'])
      .where('sessions.hash', '=', hash)
      .where('sessions.expires_at', '>', clock.nowMs())
      .where('users.is_disabled', '=', 0)
      .executeTakeFirst();
    return row && { user: userOf(row), csrfToken: row.csrf_token, expiresAt: new Date(row.expires_at) };
  }

  async removeSession(hash: string): Promise<void> {
    await this.#context.db.deleteFrom('sessions').where('hash', '=', hash).execute();
  }

  async addToken(token: {
    hash: string;
    name: string;
    scopes: readonly string[];
    userId: string;
    expiresAt?: Date;
  }): Promise<TokenRecord> {
    const { db, clock, random } = this.#context;
    const row = await db
      .insertInto('tokens')
      .values({
        id: newId(clock, random),
        hash: token.hash,
        name: token.name,
        scopes: JSON.stringify(token.scopes),
        user_id: token.userId,
        created_at: clock.nowMs(),
        expires_at: token.expiresAt?.getTime() ?? null,
        last_used_at: null,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    return tokenOf(row);
  }

  async tokens(): Promise<TokenRecord[]> {
    const rows = await this.#context.db.selectFrom('tokens').selectAll().orderBy('id').execute();
    return rows.map(tokenOf);
  }

  /** @returns undefined when there is none, it is over, or its user is disabled */
  async useToken(hash: string): Promise<{ token: TokenRecord; user: UserRecord } | undefined> {
    const { db, clock } = this.#context;
    const nowMs = clock.nowMs();
    const row = await db
      .updateTable('tokens')
      .set({ last_used_at: nowMs })
      .where('hash', '=', hash)
      .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', nowMs)]))
      .returningAll()
      .executeTakeFirst();
    const user = row && (await this.find(row.user_id));
    return row && user && !user.isDisabled ? { token: tokenOf(row), user } : undefined;
  }

  async removeToken(id: string): Promise<void> {
    await this.#context.db.deleteFrom('tokens').where('id', '=', id).execute();
  }

  async #find(column: 'id' | 'username', value: string): Promise<UserRecord | undefined> {
    const row = await this.#context.db
      .selectFrom('users')
      .selectAll()
      .where(column, '=', value)
      .executeTakeFirst();
    return row && userOf(row);
  }
}

function userOf(row: Selectable<Tables['users']>): UserRecord {
  return compact({
    id: row.id,
    username: row.username,
    displayName: row.display_name ?? undefined,
    email: row.email ?? undefined,
    role: row.role,
    passwordHash: row.password_hash,
    isDisabled: row.is_disabled !== 0,
    createdAt: new Date(row.created_at),
    lastSeenAt: dateOf(row.last_seen_at),
  }) as UserRecord;
}

function tokenOf(row: Selectable<Tables['tokens']>): TokenRecord {
  return compact({
    id: row.id,
    name: row.name,
    scopes: JSON.parse(row.scopes) as string[],
    userId: row.user_id,
    createdAt: new Date(row.created_at),
    expiresAt: dateOf(row.expires_at),
    lastUsedAt: dateOf(row.last_used_at),
  }) as TokenRecord;
}
