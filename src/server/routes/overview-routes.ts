import { z } from 'zod';
import { Name, Overview, RetentionPreview, RetentionPreviewInput, targetsOf } from '#contract';
import { decidePlanRetention } from '#plans';
import type { ServerContext } from '../context.ts';
import { compact } from '../present/present-job.ts';
import { overviewOf, presentPlan } from '../present/present-plan.ts';
import type { App } from './app-type.ts';

const Named = z.object({ name: Name });

/** The one sentence about everything, and what retention would do. */
export function overviewRoutes(app: App, { records, clock }: ServerContext): void {
  app.get('/overview', { config: { needs: 'read' }, schema: { response: { 200: Overview } } }, async () => {
    const nowMs = clock.nowMs();
    const plans = await records.plans.list();
    const presented = await Promise.all(plans.map((plan) => presentPlan(records, plan, nowMs)));
    return overviewOf(presented, records, nowMs);
  });

  app.post(
    '/plans/:name/retention/preview',
    {
      config: { needs: 'read' },
      schema: { params: Named, body: RetentionPreviewInput, response: { 200: RetentionPreview } },
    },
    async ({ params: { name }, body: { repository, keep } }) => {
      const plan = await records.plans.get(name);
      const policy = keep ?? targetsOf(plan.spec).find((target) => target.repository === repository)?.keep;
      const snapshots = (await records.snapshots.ofRepository(repository)).filter(
        (each) => each.plan === name,
      );
      const nowMs = clock.nowMs();
      const live = snapshots.filter(({ forgottenAt }) => !forgottenAt);
      const verdicts = policy
        ? decidePlanRetention(live, policy, nowMs)
        : live.map((snapshot) => ({ snapshot, reasons: ['no retention: all stay'] }));
      const trash = snapshots
        .filter(({ forgottenAt }) => forgottenAt)
        .map((snapshot) => ({ snapshot, reasons: [] }));
      return {
        repository,
        ...(policy && { keep: policy }),
        at: new Date(nowMs).toISOString(),
        verdicts: [
          ...verdicts.map((verdict) =>
            presentVerdict(verdict, verdict.reasons.length > 0 ? 'stays' : 'dies'),
          ),
          ...trash.map((verdict) => presentVerdict(verdict, 'in-trash')),
        ],
        later: [],
      };
    },
  );
}

type Verdict = ReturnType<typeof decidePlanRetention>[number];

function presentVerdict({ snapshot, reasons }: Verdict, fate: 'stays' | 'dies' | 'in-trash') {
  return compact({
    snapshotId: snapshot.id,
    takenAt: snapshot.takenAt.toISOString(),
    source: snapshot.source,
    fate,
    reasons,
  });
}
