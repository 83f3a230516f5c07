import { z } from 'zod';
import type { Configured } from '#catalog';
import { Job, Name, Plan, PlanInput, type PlanSpec, RunInput } from '#contract';
import { isUnderWay, jobOfPlan, jobOfProof, type ProofKind, proofUnderWay } from '#plans';
import type { ServerContext } from '../context.ts';
import { callerOfRequest } from '../guard.ts';
import { IdempotencyHeader, idempotencyOf } from '../idempotency.ts';
import { presentJob } from '../present/present-job.ts';
import { presentPlan } from '../present/present-plan.ts';
import type { App } from './app-type.ts';
import { assertNotOfFile } from './read-only.ts';

const Named = z.object({ name: Name });

/** Plans: list, show, make, change, remove, run. */
export function planRoutes(app: App, { records, runner, clock }: ServerContext): void {
  const present = (plan: Configured<PlanSpec>): Promise<Plan> => presentPlan(records, plan, clock.nowMs());

  app.get(
    '/plans',
    { config: { needs: 'read' }, schema: { response: { 200: z.object({ items: z.array(Plan) }) } } },
    async () => ({ items: await Promise.all((await records.plans.list()).map(present)) }),
  );

  app.post(
    '/plans',
    { config: { needs: 'write' }, schema: { body: PlanInput, response: { 201: Plan } } },
    async ({ body: { name, spec } }, reply) => {
      // What it names must be there: a plan that cannot run is told now.
      await jobOfPlan(records, { name, spec }, { trigger: 'api' });
      const plan = await records.plans.add({ name, spec, origin: { from: 'dashboard' } });
      return reply.status(201).send(await present(plan));
    },
  );

  app.get(
    '/plans/:name',
    { config: { needs: 'read' }, schema: { params: Named, response: { 200: Plan } } },
    async ({ params }) => present(await records.plans.get(params.name)),
  );

  app.put(
    '/plans/:name',
    {
      config: { needs: 'write' },
      schema: {
        params: Named,
        body: PlanInput,
        headers: z.object({ 'if-match': z.string().optional() }),
        response: { 200: Plan },
      },
    },
    async ({ params: { name }, body: { spec }, headers }) => {
      const before = await records.plans.get(name);
      assertNotOfFile(before);
      await jobOfPlan(records, { name, spec }, { trigger: 'api' });
      const revision =
        headers['if-match'] === undefined ? undefined : Number(headers['if-match'].replaceAll('"', ''));
      return present(await records.plans.change(name, { spec, revision }));
    },
  );

  app.delete(
    '/plans/:name',
    { config: { needs: 'write' }, schema: { params: Named, response: { 204: z.null() } } },
    async ({ params: { name } }, reply) => {
      const plan = await records.plans.find(name);
      if (plan) assertNotOfFile(plan);
      await records.plans.remove(name);
      return reply.status(204).send(null);
    },
  );

  runRoute(app, { records, runner });
}

/** Runs a plan now, or proves what it saved. */
function runRoute(app: App, { records, runner }: Pick<ServerContext, 'records' | 'runner'>): void {
  app.post(
    '/plans/:name/runs',
    {
      config: { needs: 'run' },
      schema: {
        params: Named,
        headers: IdempotencyHeader,
        body: RunInput.nullish(),
        response: { 202: Job },
      },
    },
    async (request, reply) => {
      const plan = await records.plans.get(request.params.name);
      const kind = proofKindOf(request.body);
      const running = kind
        ? await proofUnderWay(records, { kind, plan: plan.name })
        : await isUnderWay(records, plan.name);
      if (running) return reply.status(202).send(presentJob(running));
      const reason = {
        trigger: 'person',
        requestedBy: callerOfRequest(request).name,
        ...idempotencyOf(request),
      };
      const job = await runner.submit(
        await (kind ? jobOfProof(records, plan, kind, reason) : jobOfPlan(records, plan, reason)),
      );
      return reply.status(202).send(presentJob(job));
    },
  );
}

/** What is not the plan's own run. */
function proofKindOf(input: RunInput | null | undefined): ProofKind | undefined {
  const kind = input?.kind;
  return kind === 'backup' || kind === 'replicate' ? undefined : kind;
}
