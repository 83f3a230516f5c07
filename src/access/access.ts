import { createHash, timingSafeEqual } from 'node:crypto';
import type { Clock, Random } from '#base';
import type { Catalog, NewUser, SessionRecord, TokenRecord, UserRecord } from '#catalog';
import { AccessError } from './errors.ts';
import { hashPassword, isPasswordOf } from './password.ts';
import { type Permission, permissionsFor } from './permissions.ts';
import { SignInLimit } from './sign-in-limit.ts';

/** Who asks, and what they may. */
export interface Caller {
  user: UserRecord;
  permissions: ReadonlySet<Permission>;
  /** For logs and audit: a person's name, and the token's where one was used. */
  name: string;
  session?: { csrfToken: string; expiresAt: Date };
}

/** What a person says of themselves. */
export interface Person extends Omit<NewUser, 'passwordHash'> {
  password: string;
}

export interface AccessOptions {
  catalog: Pick<Catalog, 'users' | 'settings' | 'journal'>;
  clock: Clock;
  random: Random;
  /** Cost of guessing a password; tests have no time. */
  /** Of who owns the state directory, for as long as this process lives: no role binds them. */
  ownerToken?: string | undefined;
  passwordCost?: { N: number; r: number; p: number };
}

const sessionMs = 14 * 24 * 3_600_000;
const setupMs = 3_600_000;
const setupName = 'access.setup';
const tokenPrefix = 'hf_';

/** Who is let in, and what they may do. Cookies, tokens and setup links are kept as hashes only. */
export class Access {
  readonly #options: AccessOptions;
  readonly #limit: SignInLimit;

  constructor(options: AccessOptions) {
    this.#options = options;
    this.#limit = new SignInLimit(options.clock);
  }

  /** Whether nobody has an account yet, and every route but the setup is closed. */
  async needsSetup(): Promise<boolean> {
    return (await this.#options.catalog.users.count()) === 0;
  }

  /** A new setup link's token: works once, for one hour; the one before works no more. */
  async issueSetupToken(): Promise<string> {
    const token = this.#newSecret();
    const untilMs = this.#options.clock.nowMs() + setupMs;
    await this.#options.catalog.settings.save(setupName, { hash: hashOf(token), untilMs });
    return token;
  }

  /** Makes the first administrator. @throws AccessError 'access.setup-link'; CatalogError 'catalog.exists' */
  async setUp(token: string, person: Omit<Person, 'role'>): Promise<UserRecord> {
    const { catalog, clock } = this.#options;
    const issued = await catalog.settings.find<{ hash: string; untilMs: number }>(setupName);
    const isRight = issued !== undefined && isSame(issued.hash, hashOf(token));
    if (!isRight || clock.nowMs() > issued.untilMs)
      throw new AccessError('access.setup-link', 'the setup link is used up, too old, or not ours', {
        hint: 'Run `holdfast setup-link` on the server for a new one.',
      });
    const user = await this.addUser({ ...person, role: 'admin' }, { by: 'the setup link', onlyFirst: true });
    await catalog.settings.remove(setupName);
    return user;
  }

  async addUser(
    { password, ...user }: Person,
    options: { by: string; onlyFirst?: boolean },
  ): Promise<UserRecord> {
    const passwordHash = await this.hashPassword(password);
    return this.#options.catalog.users.add({ ...user, passwordHash }, options);
  }

  async hashPassword(password: string): Promise<string> {
    return hashPassword(password, this.#options.random, this.#options.passwordCost);
  }

  /**
   * @param from the address that asks
   * @returns the cookie's value, once
   * @throws AccessError 'access.wrong-password', 'access.too-many-tries'
   */
  async signIn(
    { username, password }: { username: string; password: string },
    from: string,
  ): Promise<{ cookie: string; caller: Caller }> {
    const { users, journal } = this.#options.catalog;
    const names = [`user ${username}`, `address ${from}`];
    this.#limit.assertMayTry(names);
    const user = await users.findByName(username);
    // A user that is not there takes as long as one that is.
    const isRight = await isPasswordOf(password, user?.passwordHash ?? (await this.#nobodysHash()));
    if (!user || !isRight || user.isDisabled) {
      this.#limit.noteFailure(names);
      await journal.add({
        type: 'access.sign-in-failed',
        severity: 'warning',
        message: 'somebody gave a wrong user name or password',
        facts: { from },
      });
      throw new AccessError('access.wrong-password', 'the user name or the password is wrong', {
        hint: 'Check both; an administrator can set a new password.',
      });
    }
    this.#limit.noteSuccess(names);
    return this.openSession(user);
  }

  async openSession(user: UserRecord): Promise<{ cookie: string; caller: Caller }> {
    const { catalog, clock } = this.#options;
    const cookie = this.#newSecret();
    const csrfToken = this.#newSecret();
    const expiresAt = new Date(clock.nowMs() + sessionMs);
    await catalog.users.addSession({ hash: hashOf(cookie), userId: user.id, csrfToken, expiresAt });
    return { cookie, caller: callerOf({ user, csrfToken, expiresAt }) };
  }

  async findCaller(cookie: string): Promise<Caller | undefined> {
    const session = await this.#options.catalog.users.findSession(hashOf(cookie));
    return session && callerOf(session);
  }

  async signOut(cookie: string): Promise<void> {
    await this.#options.catalog.users.removeSession(hashOf(cookie));
  }

  /** @returns the token itself, once */
  async addToken(
    owner: UserRecord,
    { name, scopes, expiresAt }: { name: string; scopes: readonly string[]; expiresAt?: Date },
  ): Promise<{ token: string; record: TokenRecord }> {
    const token = `${tokenPrefix}${this.#newSecret()}`;
    const record = await this.#options.catalog.users.addToken({
      hash: hashOf(token),
      name,
      scopes,
      userId: owner.id,
      ...(expiresAt && { expiresAt }),
    });
    return { token, record };
  }

  async findTokenCaller(token: string): Promise<Caller | undefined> {
    const { ownerToken, clock } = this.#options;
    if (ownerToken !== undefined && isSame(ownerToken, token)) return ownerCaller(clock);
    const found = await this.#options.catalog.users.useToken(hashOf(token));
    if (!found) return undefined;
    const { user, token: record } = found;
    return {
      user,
      permissions: permissionsFor(user.role, record.scopes),
      name: `${user.username} (${record.name})`,
    };
  }

  /** @throws AccessError 'access.csrf' when a page of somebody else may have made the browser ask */
  assertOwnPage(caller: Caller, given: string | undefined): void {
    if (!caller.session || isSame(caller.session.csrfToken, given ?? '')) return;
    throw new AccessError('access.csrf', 'the request does not come from our own page', {
      hint: 'Load the page again. Scripts use a token instead of a cookie.',
    });
  }

  #nobody: Promise<string> | undefined;

  #nobodysHash(): Promise<string> {
    this.#nobody ??= this.hashPassword(this.#newSecret());
    return this.#nobody;
  }

  #newSecret(): string {
    return Buffer.from(this.#options.random.fill(new Uint8Array(32))).toString('base64url');
  }
}

/** Not a user of the catalog: there may be none yet. */
function ownerCaller(clock: Clock): Caller {
  const user = {
    id: 'owner',
    username: 'the owner of the state directory',
    role: 'admin',
    passwordHash: '',
    isDisabled: false,
    createdAt: new Date(clock.nowMs()),
  };
  return { user, permissions: permissionsFor('admin'), name: user.username };
}

function callerOf({ user, csrfToken, expiresAt }: SessionRecord): Caller {
  return {
    user,
    permissions: permissionsFor(user.role),
    name: user.username,
    session: { csrfToken, expiresAt },
  };
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
