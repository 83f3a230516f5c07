import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { JobVerdict, SealingKey } from '#catalog';
import { Name, SelfPlan } from '#contract';
import { type JobExecution, type JobKind, reasonOf } from '#jobs';
import type { Repository, SnapshotId } from '#repository';
import { filesSource } from '#sources';
import { backup, restore } from '#workflows';
import { recordSnapshots } from './look-at-repository.ts';
import { openRepositorySpec, type Surroundings } from './open-specs.ts';
import { type PartResult, reasonOfProblems, verdictOf } from './part-result.ts';
import { openRecords, type Records } from './records.ts';

export const SelfJobInput = z.object({ plan: Name, spec: SelfPlan, repositories: z.array(Name).min(1) });
export type SelfJobInput = z.infer<typeof SelfJobInput>;

export interface SelfJobOptions {
  surroundings: Surroundings;
  records: Records;
  /** What sealed the secrets: to see that the copy opens. It is never stored in it. */
  masterKeys: readonly SealingKey[];
  /** Where copies lie while they are read, always at one place, so that snapshots share what is unchanged. */
  folder: string;
}

const fileName = 'catalog.sqlite';
const sourceName = 'holdfast';

/**
 * Backs Holdfast itself up into every repository: the catalog as it is at one time, with its sealed secrets, without
 * the master key. Then the copy is restored from there and opened: that it can be used is what is proven.
 */
export function selfJob(options: SelfJobOptions): JobKind<SelfJobInput> {
  return {
    name: 'self',
    version: 1,
    parse: (input) => SelfJobInput.parse(input),
    async run(execution, input): Promise<JobVerdict> {
      const parts: PartResult[] = [];
      for (const repository of input.repositories)
        parts.push(await partOf(execution, { ...options, plan: input.plan, repository }));
      return verdictOf(parts);
    },
  };
}

interface Part extends SelfJobOptions {
  plan: string;
  repository: string;
}

async function partOf(execution: JobExecution, part: Part): Promise<PartResult> {
  const place = { source: sourceName, repository: part.repository, isRequired: true };
  try {
    return await execution.step(`back up to ${part.repository} and read back`, (signal) =>
      storeAndProve(execution, part, signal),
    );
  } catch (error) {
    if (execution.hasToEnd(error)) throw error;
    return { ...place, state: 'failed', reason: reasonOf(error) };
  }
}

async function storeAndProve(execution: JobExecution, part: Part, signal: AbortSignal): Promise<PartResult> {
  const { records, surroundings, plan, repository: name } = part;
  const { spec } = await records.repositories.get(name);
  await using opened = await openRepositorySpec(spec, surroundings, { signal });
  const repository = opened.thing;
  const out = join(part.folder, 'out');
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true, mode: 0o700 });
  await records.copyTo(join(out, fileName));
  const { job } = execution;
  const { snapshot, summary, state, problems } = await backup({
    repository,
    source: filesSource({ paths: [out] }),
    tags: [`name=${sourceName}`, `plan=${plan}`, `job=${job.id}`, `attempt=${job.attempt}`],
    signal,
  });
  rmSync(out, { recursive: true, force: true });
  const jobId = job.id;
  const { id } = snapshot!;
  await execution.assertHeld();
  await recordSnapshots(records, name, await repository.snapshots({ signal }));
  const at = (): string => new Date(repository.clock.nowMs()).toISOString();
  await records.snapshots.addBadge(
    { repository: name, id },
    { rung: 'stored', state: 'proven', at: at(), jobId },
  );
  const plans = await readBack(repository, id, part, signal);
  execution.log('info', `restored the catalog from ${name} and opened it: ${plans} plans`);
  await records.snapshots.addBadge(
    { repository: name, id },
    { rung: 'read-back', state: 'proven', at: at(), jobId },
  );
  return {
    source: sourceName,
    repository: name,
    isRequired: true,
    state,
    snapshotId: id,
    processedBytes: summary.totalBytesProcessed,
    itemCount: summary.totalFilesProcessed,
    ...reasonOfProblems(problems),
  };
}

/** @returns how many plans the restored catalog has */
async function readBack(
  repository: Repository,
  id: SnapshotId,
  part: Part,
  signal: AbortSignal,
): Promise<number> {
  const target = join(part.folder, 'in');
  rmSync(target, { recursive: true, force: true });
  try {
    const snapshot = await repository.findSnapshot(id);
    const { state, problems } = await restore({ repository, snapshot, target, signal });
    if (state !== 'succeeded') throw problems[0]!.error;
    const path = join(target, part.folder, 'out', fileName);
    await using copy = await openRecords({ place: { path }, masterKeys: part.masterKeys });
    return (await copy.plans.list()).length;
  } finally {
    rmSync(target, { recursive: true, force: true });
  }
}
