import { Job, RestoreInput } from '#contract';
import { jobOfRestore } from '#plans';
import type { ServerContext } from '../context.ts';
import { callerOfRequest } from '../guard.ts';
import { IdempotencyHeader, idempotencyOf } from '../idempotency.ts';
import { presentJob } from '../present/present-job.ts';
import type { App } from './app-type.ts';

/** Restores: each is a job. */
export function restoreRoutes(app: App, { records, home, runner }: ServerContext): void {
  app.post(
    '/restores',
    {
      config: { needs: 'restore' },
      schema: { headers: IdempotencyHeader, body: RestoreInput, response: { 202: Job } },
    },
    async (request, reply) => {
      const requestedBy = callerOfRequest(request).name;
      const reason = { trigger: 'person', requestedBy, ...idempotencyOf(request) };
      const job = await runner.submit(await jobOfRestore({ records, home }, request.body, reason));
      return reply.status(202).send(presentJob(job));
    },
  );
}
