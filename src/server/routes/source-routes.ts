import { z } from 'zod';
import type { Configured } from '#catalog';
import { Name, Source, SourceSpec } from '#contract';
import { openSourceSpec } from '#plans';
import type { ServerContext } from '../context.ts';
import { ServerError } from '../errors.ts';
import type { App } from './app-type.ts';
import { assertNotOfFile } from './read-only.ts';

const Named = z.object({ name: Name });
const Input = z.strictObject({ name: Name, spec: SourceSpec }).meta({ id: 'SourceInput' });

/** Sources: list, add, change, remove. */
export function sourceRoutes(app: App, { records, surroundings }: ServerContext): void {
  const present = async (source: Configured<SourceSpec>): Promise<Source> => {
    const { id, name, origin, spec, createdAt, updatedAt, revision } = source;
    const plans = await records.plans.list();
    const newest = await records.snapshots.list({ source: name }, { limit: 1 });
    const [last] = newest.items;
    return {
      id,
      name,
      origin,
      spec,
      plans: plans
        .filter(({ spec: plan }) => plan.kind === 'backup' && plan.sources.includes(name))
        .map((plan) => plan.name),
      ...(last && { lastSnapshotAt: last.takenAt.toISOString() }),
      createdAt: createdAt.toISOString(),
      updatedAt: updatedAt.toISOString(),
      revision,
    };
  };

  /** What cannot be opened is told now, not at night. */
  const tryOut = async (spec: SourceSpec): Promise<void> => {
    await using _opened = await openSourceSpec(spec, surroundings);
  };

  app.get(
    '/sources',
    { config: { needs: 'read' }, schema: { response: { 200: z.object({ items: z.array(Source) }) } } },
    async () => ({ items: await Promise.all((await records.sources.list()).map(present)) }),
  );

  app.post(
    '/sources',
    { config: { needs: 'write' }, schema: { body: Input, response: { 201: Source } } },
    async ({ body: { name, spec } }, reply) => {
      await tryOut(spec);
      const added = await records.sources.add({ name, spec, origin: { from: 'dashboard' } });
      return reply.status(201).send(await present(added));
    },
  );

  app.get(
    '/sources/:name',
    { config: { needs: 'read' }, schema: { params: Named, response: { 200: Source } } },
    async ({ params }) => present(await records.sources.get(params.name)),
  );

  app.delete(
    '/sources/:name',
    { config: { needs: 'write' }, schema: { params: Named, response: { 204: z.null() } } },
    async ({ params: { name } }, reply) => {
      const source = await records.sources.find(name);
      if (source) assertNotOfFile(source);
      const plans = source ? (await present(source)).plans : [];
      if (plans.length > 0)
        throw new ServerError('server.request', `plans protect ${name}: ${plans.join(', ')}`, {
          hint: 'Change those plans first.',
        });
      await records.sources.remove(name);
      return reply.status(204).send(null);
    },
  );
}
