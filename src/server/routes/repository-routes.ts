import { z } from 'zod';
import { type Clock, HoldfastError, messageOf, systemRandom } from '#base';
import type { Configured } from '#catalog';
import {
  Name,
  type PlanSpec,
  Repository,
  RepositorySpec,
  type RepositoryStatus,
  StorageSpec,
  StorageTest,
  targetsOf,
} from '#contract';
import { lookAtRepository, makeRepository, openStorageSpec } from '#plans';
import { parseLocation, probeStorage, type Storage } from '#storage';
import type { ServerContext } from '../context.ts';
import { ServerError } from '../errors.ts';
import type { App } from './app-type.ts';
import { assertNotOfFile } from './read-only.ts';

const Named = z.object({ name: Name });
const Input = z.strictObject({ name: Name, spec: RepositorySpec }).meta({ id: 'RepositoryInput' });

/** Repositories: list, add (made, or adopted), look again, remove; and the test of a storage. */
export function repositoryRoutes(app: App, context: ServerContext): void {
  const { records, surroundings } = context;
  const present = async (repository: Configured<RepositorySpec>): Promise<Repository> => {
    const plans = await records.plans.list();
    const { id, name, origin, spec, createdAt, updatedAt, revision } = repository;
    const names = plans.filter((plan) => writesTo(plan.spec, name)).map((plan) => plan.name);
    return {
      id,
      name,
      origin,
      spec,
      status: await statusOf(context, repository),
      plans: names,
      createdAt: createdAt.toISOString(),
      updatedAt: updatedAt.toISOString(),
      revision,
    };
  };

  app.get(
    '/repositories',
    { config: { needs: 'read' }, schema: { response: { 200: z.object({ items: z.array(Repository) }) } } },
    async () => ({ items: await Promise.all((await records.repositories.list()).map(present)) }),
  );

  app.post(
    '/repositories',
    { config: { needs: 'write' }, schema: { body: Input, response: { 201: Repository } } },
    async ({ body: { name, spec } }, reply) => {
      const added = await records.repositories.add({ name, spec, origin: { from: 'dashboard' } });
      try {
        await makeRepository(spec, surroundings);
      } catch (error) {
        await records.repositories.remove(name);
        throw error;
      }
      await lookAtRepository(context, added);
      return reply.status(201).send(await present(added));
    },
  );

  app.get(
    '/repositories/:name',
    { config: { needs: 'read' }, schema: { params: Named, response: { 200: Repository } } },
    async ({ params }) => present(await records.repositories.get(params.name)),
  );

  app.post(
    '/repositories/:name/look',
    { config: { needs: 'run' }, schema: { params: Named, response: { 200: Repository } } },
    async ({ params }) => {
      const repository = await records.repositories.get(params.name);
      await lookAtRepository(context, repository);
      return present(repository);
    },
  );

  app.delete(
    '/repositories/:name',
    { config: { needs: 'write' }, schema: { params: Named, response: { 204: z.null() } } },
    async ({ params: { name } }, reply) => {
      const repository = await records.repositories.find(name);
      if (repository) assertNotOfFile(repository);
      const plans = await records.plans.list();
      const used = plans
        .filter(({ spec }) => targetsOf(spec).some((target) => target.repository === name))
        .map((plan) => plan.name);
      if (used.length > 0)
        throw new ServerError('server.request', `plans write to ${name}: ${used.join(', ')}`, {
          hint: 'Change those plans first. What is stored stays in any case.',
        });
      await records.repositories.remove(name);
      return reply.status(204).send(null);
    },
  );

  storageRoutes(app, context);
}

/** The test of a storage, before it is used. */
function storageRoutes(app: App, { clock, surroundings }: ServerContext): void {
  app.post(
    '/storage/test',
    { config: { needs: 'write' }, schema: { body: StorageSpec, response: { 200: StorageTest } } },
    async ({ body }) => {
      parseLocation(body.location);
      const storage = await openStorageSpec(body, surroundings);
      try {
        return await testStorage(storage, clock);
      } finally {
        await storage.close();
      }
    },
  );
}

async function testStorage(storage: Storage, clock: Clock): Promise<StorageTest> {
  const lines: StorageTest['lines'] = [];
  for await (const { name, state, note, error, durationMs } of probeStorage(storage, {
    clock,
    random: systemRandom,
  })) {
    const hint = error instanceof HoldfastError ? error.hint : undefined;
    const words = error === undefined ? note : messageOf(error);
    lines.push({ name, state, durationMs, ...(words && { note: words }), ...(hint && { hint }) });
  }
  return {
    location: storage.location,
    isUsable: lines.every(({ state }) => state !== 'broken'),
    lines,
    testedAt: new Date(clock.nowMs()).toISOString(),
  };
}

/** A self plan that names none writes to every repository. */
function writesTo(plan: PlanSpec, repository: string): boolean {
  const targets = targetsOf(plan);
  if (plan.kind === 'self' && targets.length === 0) return true;
  return targets.some((target) => target.repository === repository);
}

async function statusOf(
  { records }: ServerContext,
  { name, spec }: Configured<RepositorySpec>,
): Promise<RepositoryStatus> {
  const seen = await records.settings.find<RepositoryStatus>(`repository.${name}`);
  const isOnThisMachine = parseLocation(spec.location).kind === 'local';
  return { state: 'unknown', ...seen, isOnThisMachine };
}
