import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { Caller } from '#access';
import type { UserRecord } from '#catalog';
import { Session, SetupInput, SignInInput, User } from '#contract';
import type { ServerContext } from '../context.ts';
import { callerOfRequest, sessionCookie } from '../guard.ts';
import { compact, iso } from '../present/present-job.ts';
import type { App } from './app-type.ts';

const cookieSeconds = 14 * 24 * 3600;

/** Setting up, signing in and out. */
export function sessionRoutes(app: App, { access }: ServerContext): void {
  const open = { needs: 'open' } as const;
  const begin = (reply: FastifyReply, cookie: string): void => {
    reply.setCookie(sessionCookie, cookie, {
      path: '/',
      httpOnly: true,
      sameSite: 'strict',
      secure: reply.request.protocol === 'https',
      maxAge: cookieSeconds,
    });
  };

  app.get(
    '/setup',
    { config: open, schema: { response: { 200: z.object({ isNeeded: z.boolean() }) } } },
    async () => ({ isNeeded: await access.needsSetup() }),
  );

  app.post(
    '/setup',
    { config: open, schema: { body: SetupInput, response: { 201: Session } } },
    async ({ body: { token, ...person } }, reply) => {
      const user = await access.setUp(token, compact(person));
      const { cookie, caller } = await access.openSession(user);
      begin(reply, cookie);
      return reply.status(201).send(presentSession(caller));
    },
  );

  app.post(
    '/session',
    { config: open, schema: { body: SignInInput, response: { 201: Session } } },
    async ({ body, ip }, reply) => {
      const { cookie, caller } = await access.signIn(body, ip);
      begin(reply, cookie);
      return reply.status(201).send(presentSession(caller));
    },
  );

  app.get(
    '/session',
    { config: { needs: 'signed-in' }, schema: { response: { 200: Session } } },
    async (request) => presentSession(callerOfRequest(request)),
  );

  app.delete(
    '/session',
    { config: { needs: 'signed-in' }, schema: { response: { 204: z.null() } } },
    async (request, reply) => {
      const cookie = request.cookies[sessionCookie];
      if (cookie) await access.signOut(cookie);
      reply.clearCookie(sessionCookie, { path: '/' });
      return reply.status(204).send(null);
    },
  );
}

function presentSession({ user, session }: Caller): Session {
  return {
    user: presentUser(user),
    csrfToken: session?.csrfToken ?? '',
    expiresAt: (session?.expiresAt ?? new Date(0)).toISOString(),
  };
}

export function presentUser(user: UserRecord): User {
  return User.parse(
    compact({
      id: user.id,
      username: user.username,
      displayName: user.displayName,
      email: user.email,
      role: user.role,
      isDisabled: user.isDisabled,
      createdAt: user.createdAt.toISOString(),
      lastSeenAt: iso(user.lastSeenAt),
    }),
  );
}
