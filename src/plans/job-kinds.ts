import type { JobKind } from '#jobs';
import { backupJob } from './backup-job.ts';
import { checkJob } from './check-job.ts';
import { drillJob } from './drill-job.ts';
import { forgetJob } from './forget-job.ts';
import { lookingAfter } from './look-after.ts';
import { pruneJob } from './prune-job.ts';
import { restoreJob } from './restore-job.ts';
import { selfJob } from './self-job.ts';
import type { WorkContext } from './work-context.ts';

/** Every kind of job that a worker can run. */
// biome-ignore lint/suspicious/noExplicitAny: each kind has an input of its own, which it parses itself
export function jobKinds(context: WorkContext): JobKind<any>[] {
  return [
    lookingAfter(backupJob(context), context),
    lookingAfter(selfJob(context), context),
    restoreJob(context),
    checkJob('check', context),
    checkJob('verify', context),
    drillJob(context),
    lookingAfter(pruneJob(context), context),
    lookingAfter(forgetJob(context), context),
  ];
}
