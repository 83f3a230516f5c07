import { z } from 'zod';
import { Timestamp } from '#contract';
import type { ServerContext } from '../context.ts';
import { callerOfRequest } from '../guard.ts';
import { kitPage, kitStatus, makeRecoveryKit } from '../recovery-kit.ts';
import type { App } from './app-type.ts';

const Query = z.object({ format: z.enum(['html', 'text']).default('html') });
const Status = z
  .object({ madeAt: Timestamp.optional(), isStale: z.boolean(), reasons: z.array(z.string()) })
  .meta({ id: 'RecoveryKitStatus' });

/** What is needed when this machine is gone. Made on each request, for administrators, and told to the audit. */
export function recoveryKitRoutes(app: App, context: ServerContext): void {
  app.get(
    '/recovery-kit',
    { config: { needs: 'admin' }, schema: { querystring: Query } },
    async (request, reply) => {
      const text = await makeRecoveryKit(context, { by: callerOfRequest(request).name, address: request.ip });
      const isPage = request.query.format === 'html';
      return reply
        .header('cache-control', 'no-store')
        .type(`text/${isPage ? 'html' : 'plain'}; charset=utf-8`)
        .send(isPage ? kitPage(text) : text);
    },
  );

  app.get(
    '/recovery-kit/status',
    { config: { needs: 'read' }, schema: { response: { 200: Status } } },
    async () => kitStatus(context),
  );
}
