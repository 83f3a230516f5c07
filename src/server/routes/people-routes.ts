import { z } from 'zod';
import { AccessError } from '#access';
import { CatalogError, type TokenRecord } from '#catalog';
import {
  Id,
  NewToken,
  Role,
  SealedSecret,
  SecretToSeal,
  Token,
  TokenInput,
  User,
  UserChange,
  UserInput,
} from '#contract';
import type { ServerContext } from '../context.ts';
import { callerOfRequest } from '../guard.ts';
import { compact, iso } from '../present/present-job.ts';
import type { App } from './app-type.ts';
import { presentUser } from './session-routes.ts';

const Known = z.object({ id: Id });
const dayMs = 86_400_000;
const tokenDays = 90;

/** Users, tokens and sealed secrets. */
export function peopleRoutes(app: App, { records, access, clock }: ServerContext): void {
  app.get(
    '/users',
    { config: { needs: 'admin' }, schema: { response: { 200: z.object({ items: z.array(User) }) } } },
    async () => ({ items: (await records.users.list()).map(presentUser) }),
  );

  app.post(
    '/users',
    { config: { needs: 'admin' }, schema: { body: UserInput, response: { 201: User } } },
    async (request, reply) => {
      const user = await access.addUser(request.body, { by: callerOfRequest(request).name });
      return reply.status(201).send(presentUser(user));
    },
  );

  app.patch(
    '/users/:id',
    { config: { needs: 'admin' }, schema: { params: Known, body: UserChange, response: { 200: User } } },
    async (request) => {
      const { password, ...change } = request.body;
      const { id } = request.params;
      const caller = callerOfRequest(request);
      if (caller.user.id === id && (change.isDisabled || (change.role && change.role !== 'admin')))
        throw new AccessError('access.forbidden', 'nobody takes their own rights away', {
          hint: 'Let another administrator do it.',
        });
      const passwordHash = password === undefined ? undefined : await access.hashPassword(password);
      const user = await records.users.change(id, compact({ ...change, passwordHash }) as never, {
        by: caller.name,
      });
      if (user) return presentUser(user);
      throw new CatalogError('catalog.absent', 'there is no such user', {
        hint: 'Look at the list of users.',
      });
    },
  );

  app.post(
    '/secrets',
    { config: { needs: 'write' }, schema: { body: SecretToSeal, response: { 201: SealedSecret } } },
    async ({ body }, reply) => reply.status(201).send(await records.secrets.add(body.secret)),
  );

  app.get(
    '/tokens',
    { config: { needs: 'admin' }, schema: { response: { 200: z.object({ items: z.array(Token) }) } } },
    async () => {
      const users = new Map((await records.users.list()).map((user) => [user.id, user]));
      return {
        items: (await records.users.tokens()).map((token) => presentToken(token, users.get(token.userId)!)),
      };
    },
  );

  app.post(
    '/tokens',
    { config: { needs: 'admin' }, schema: { body: TokenInput, response: { 201: NewToken } } },
    async (request, reply) => {
      const { name, scopes, expiresAt } = request.body;
      const { user } = callerOfRequest(request);
      const { token, record } = await access.addToken(user, {
        name,
        scopes,
        expiresAt: new Date(expiresAt ?? clock.nowMs() + tokenDays * dayMs),
      });
      return reply.status(201).send({ ...presentToken(record, user), token });
    },
  );

  app.delete(
    '/tokens/:id',
    { config: { needs: 'admin' }, schema: { params: Known, response: { 204: z.null() } } },
    async ({ params }, reply) => {
      await records.users.removeToken(params.id);
      return reply.status(204).send(null);
    },
  );
}

function presentToken(token: TokenRecord, owner: { username: string; role: string }): Token {
  return Token.parse(
    compact({
      id: token.id,
      name: token.name,
      scopes: token.scopes,
      role: Role.parse(owner.role),
      createdBy: owner.username,
      createdAt: token.createdAt.toISOString(),
      expiresAt: iso(token.expiresAt),
      lastUsedAt: iso(token.lastUsedAt),
    }),
  );
}
