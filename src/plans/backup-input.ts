import { z } from 'zod';
import { BackupPlan, Name, RepositorySpec, SourceSpec } from '#contract';

/** What a backup job is made of: the plan and all that it names, as they were when it was submitted. */
export const BackupJobInput = z.object({
  plan: Name,
  spec: BackupPlan,
  sources: z.record(Name, SourceSpec),
  repositories: z.record(Name, RepositorySpec),
});
export type BackupJobInput = z.infer<typeof BackupJobInput>;
