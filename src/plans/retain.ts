import type { KeepPolicy, RepositorySpec } from '#contract';
import type { JobExecution } from '#jobs';
import { applyRetention } from './apply-retention.ts';
import { openForJob } from './open-specs.ts';
import type { PartResult } from './part-result.ts';
import { partStep } from './part-step.ts';
import type { WorkContext } from './work-context.ts';

export interface RetainRequest {
  plan: string;
  targets: readonly { repository: string; keep?: KeepPolicy; isRequired: boolean }[];
  repositories: Record<string, RepositorySpec>;
  anomaly: 'hold' | 'warn' | 'ignore';
  /** What the job has done so far; what goes wrong here is added. */
  results: PartResult[];
}

/** Applies the retention of each repository that has one. Nothing is ever forgotten after a run that did not succeed. */
export async function retain(
  execution: JobExecution,
  { surroundings, records }: WorkContext,
  { plan, targets, repositories, anomaly, results }: RetainRequest,
): Promise<void> {
  const isGood = results.every(({ state }) => state === 'succeeded' || state === 'warning');
  if (!isGood) return;
  for (const { repository, keep, isRequired } of targets) {
    if (!keep) continue;
    const place = { source: plan, repository, isRequired };
    const step = { name: `apply the retention in ${repository}`, place };
    const part = await partStep(execution, step, async (signal) => {
      await execution.assertHeld();
      await using opened = await openForJob(repositories[repository]!, surroundings, signal);
      const nowMs = opened.thing.clock.nowMs();
      const choice = { plan, repository, keep, anomaly, nowMs, signal };
      const { kept, forgotten, purged, oddity } = await applyRetention(records, opened.thing, choice);
      execution.log('info', `${kept} stay, ${forgotten} went into the trash, ${purged} left it for good`);
      return oddity ? { ...place, state: 'warning', reason: oddity } : { ...place, state: 'succeeded' };
    });
    if (part.state !== 'succeeded') results.push(part);
  }
}
