import { z } from 'zod';
import { messageOf } from '#base';
import { Health } from '#contract';
import type { ServerContext } from '../context.ts';
import type { App } from './app-type.ts';

/** For watchers: does the process live, can it work. Tells nothing about what is protected. */
export function healthRoutes(app: App, { records, version, startedAt }: ServerContext): void {
  app.get(
    '/healthz',
    { config: { needs: 'open' }, schema: { response: { 200: z.object({ isAlive: z.literal(true) }) } } },
    async () => ({ isAlive: true as const }),
  );

  app.get(
    '/readyz',
    { config: { needs: 'open' }, schema: { response: { 200: Health, 503: Health } } },
    async (_, reply) => {
      const catalog = await records
        .ping()
        .then(() => ({ name: 'catalog', isWell: true }))
        .catch((error: unknown) => ({
          name: 'catalog',
          isWell: false,
          reason: { code: 'catalog.unreachable', message: messageOf(error) },
        }));
      const isReady = catalog.isWell;
      return reply.status(isReady ? 200 : 503).send({
        isReady,
        version,
        role: 'all',
        startedAt: startedAt.toISOString(),
        checks: [catalog],
      });
    },
  );
}
