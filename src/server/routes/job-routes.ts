import { z } from 'zod';
import { CatalogError, type JobId } from '#catalog';
import { Event, Id, Job, JobDetail, JobKind, JobState, LogLine, Name, PageQuery, pageOf } from '#contract';
import type { ServerContext } from '../context.ts';
import { callerOfRequest } from '../guard.ts';
import { presentEvent } from '../present/present-event.ts';
import { presentJob, presentJobDetail, presentLine } from '../present/present-job.ts';
import type { App } from './app-type.ts';

const Known = z.object({ id: Id });
const LogQuery = z.object({
  after: z.coerce.number().int().min(0).default(0).describe('number of the last line that is known'),
  limit: z.coerce.number().int().min(1).max(1000).default(500),
});
const JobQuery = PageQuery.extend({
  plan: Name.optional(),
  kind: JobKind.optional(),
  state: JobState.optional(),
});
const ActivityQuery = PageQuery.extend({
  cursor: z
    .string()
    .regex(/^\d{1,15}$/)
    .optional(),
  plan: Name.optional(),
});

/** Jobs: list, show, log, cancel; and the events that are kept. */
export function jobRoutes(app: App, { records, runner }: ServerContext): void {
  const get = async (id: string) => {
    const job = await records.jobs.get(id as JobId);
    if (job) return job;
    throw new CatalogError('catalog.absent', `there is no job ${id}`, {
      hint: 'Its history may have been dropped; the list of jobs shows what is known.',
    });
  };

  app.get(
    '/jobs',
    { config: { needs: 'read' }, schema: { querystring: JobQuery, response: { 200: pageOf(Job) } } },
    async ({ query: { plan, kind, state, cursor, limit } }) => {
      const filter = { plan, kinds: kind && [kind], states: state && [state] };
      const page = await records.jobs.list(filter, { cursor, limit });
      return { items: page.items.map(presentJob), ...(page.next && { next: page.next }) };
    },
  );

  app.get(
    '/jobs/:id',
    { config: { needs: 'read' }, schema: { params: Known, response: { 200: JobDetail } } },
    async ({ params }) => {
      const job = await get(params.id);
      return presentJobDetail(job, await records.jobs.steps(job.id));
    },
  );

  app.get(
    '/jobs/:id/log',
    {
      config: { needs: 'read' },
      schema: {
        params: Known,
        querystring: LogQuery,
        response: { 200: z.object({ items: z.array(LogLine) }) },
      },
    },
    async ({ params, query }) => {
      const { id } = await get(params.id);
      return { items: (await records.jobs.lines(id, query)).map(presentLine) };
    },
  );

  app.post(
    '/jobs/:id/cancel',
    { config: { needs: 'run' }, schema: { params: Known, response: { 202: Job } } },
    async (request, reply) => {
      const { id } = await get(request.params.id);
      await runner.cancel(id, callerOfRequest(request).name);
      return reply.status(202).send(presentJob(await get(id)));
    },
  );

  app.get(
    '/activity',
    {
      config: { needs: 'read' },
      schema: {
        querystring: ActivityQuery,
        response: { 200: pageOf(Event) },
      },
    },
    async ({ query: { cursor, limit, plan } }) => {
      const before = cursor === undefined ? undefined : Number(cursor);
      const events = await records.journal.events({ before, limit: limit + 1, plan });
      const items = events.slice(0, limit);
      return {
        items: items.map(presentEvent),
        ...(events.length > limit && { next: `${items.at(-1)!.number}` }),
      };
    },
  );
}
