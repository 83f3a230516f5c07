import type {} from '@fastify/cookie';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AccessError, type Caller, type Permission } from '#access';
import type { ServerContext } from './context.ts';
import { ServerError } from './errors.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the caller must be allowed to do; every route says it. `open`: whoever comes, even before the setup. */
    needs?: Permission | 'open' | 'signed-in';
  }
  interface FastifyRequest {
    caller: Caller | undefined;
  }
}

export const sessionCookie = 'holdfast_session';
const changing = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

/** On each request: is it for us (DNS rebinding), who asks, may they, and does it come from our own page. */
export function guard(
  app: FastifyInstance,
  { access }: ServerContext,
  isOurHost: (host: string) => boolean,
): void {
  app.decorateRequest('caller', undefined);
  app.addHook('onRoute', ({ config, method, url }) => {
    if (!config?.needs) throw new Error(`${String(method)} ${url} does not say what it needs`);
  });
  app.addHook('onRequest', async (request) => {
    if (!isOurHost(request.headers.host ?? ''))
      throw new ServerError('server.host', 'this server is not asked by that name', {
        hint: 'Add the name to settings.allowedHosts, or ask by an address that is listed there.',
      });
    const { needs } = request.routeOptions.config;
    if (!needs || needs === 'open') return;
    const caller = await callerOf(request, access);
    if (!caller && (await access.needsSetup()))
      throw new AccessError('access.setup-first', 'nobody has an account here yet', {
        hint: 'Open the setup link that the server printed, or run `holdfast setup-link` for a new one.',
      });
    if (!caller)
      throw new AccessError('access.sign-in', 'you are not signed in', { hint: 'Sign in, or send a token.' });
    request.caller = caller;
    if (changing.has(request.method)) access.assertOwnPage(caller, csrfTokenOf(request));
    if (needs === 'signed-in' || caller.permissions.has(needs)) return;
    throw new AccessError('access.forbidden', `your role does not allow this (${needs})`, {
      hint: 'Ask an administrator for the right.',
    });
  });
}

/** Who asks; routes that need somebody have one. */
export function callerOfRequest(request: FastifyRequest): Caller {
  if (!request.caller) throw new Error('the route is open, so nobody is known');
  return request.caller;
}

async function callerOf(
  request: FastifyRequest,
  access: ServerContext['access'],
): Promise<Caller | undefined> {
  const [, token] = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '') ?? [];
  if (token) return access.findTokenCaller(token);
  const cookie = request.cookies[sessionCookie];
  return cookie ? access.findCaller(cookie) : undefined;
}

function csrfTokenOf({ headers }: FastifyRequest): string | undefined {
  const given = headers['x-csrf-token'];
  return typeof given === 'string' ? given : undefined;
}

/** Names by which we may be asked: loopback, where we listen, and what the settings add. */
export function hostCheck(names: () => readonly string[]): (host: string) => boolean {
  return (host) => {
    const plain = host.toLowerCase().replace(/:\d+$/, '');
    return [...loopback, ...names()].some((name) => name.toLowerCase() === plain);
  };
}

const loopback = ['localhost', '127.0.0.1', '[::1]'];
