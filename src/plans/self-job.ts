import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { JobVerdict } from '#catalog';
import { Name, RepositorySpec, SelfPlan, targetsOf } from '#contract';
import type { JobExecution, JobKind } from '#jobs';
import type { Repository, SnapshotId } from '#repository';
import { filesSource } from '#sources';
import { backup, restore } from '#workflows';
import { openForJob } from './open-specs.ts';
import { type PartResult, reasonOfProblems, verdictOf } from './part-result.ts';
import { partStep } from './part-step.ts';
import { recordParts } from './record-parts.ts';
import { openRecords } from './records.ts';
import { retain } from './retain.ts';
import type { WorkContext } from './work-context.ts';

export const SelfJobInput = z.object({
  plan: Name,
  spec: SelfPlan,
  repositories: z.record(Name, RepositorySpec),
});
export type SelfJobInput = z.infer<typeof SelfJobInput>;

const fileName = 'catalog.sqlite';
const sourceName = 'holdfast';

/**
 * Backs Holdfast itself up into every repository: the catalog as it is at one time, with its sealed secrets, without
 * the master key. Then the copy is restored from there and opened: that it can be used is what is proven.
 */
export function selfJob(context: WorkContext): JobKind<SelfJobInput> {
  return {
    name: 'self',
    version: 1,
    parse: (input) => SelfJobInput.parse(input),
    async run(execution, { plan, spec, repositories }): Promise<JobVerdict> {
      const targets = targetsIn(spec, Object.keys(repositories));
      const results: PartResult[] = [];
      for (const { repository, isRequired } of targets) {
        const place = { source: sourceName, repository, isRequired };
        const work = new SelfWork(execution, context, { plan, spec: repositories[repository]!, place });
        results.push(
          await partStep(execution, { name: `back up to ${repository} and read back`, place }, (signal) =>
            work.run(signal),
          ),
        );
      }
      const { records } = context;
      await execution.step('record what was made', () => recordParts({ execution, records, plan }, results));
      // A catalog grows and shrinks as it likes.
      await retain(execution, context, { plan, targets, repositories, anomaly: 'ignore', results });
      return verdictOf(results);
    },
  };
}

type Target = ReturnType<typeof targetsOf>[number];

function targetsIn(spec: SelfPlan, repositories: readonly string[]): Target[] {
  const named = targetsOf(spec);
  if (named.length > 0) return named;
  const keep = spec.keep && { keep: spec.keep };
  return repositories.map((repository) => ({ repository, isRequired: true, ...keep }));
}

interface SelfPart {
  plan: string;
  spec: RepositorySpec;
  place: { source: string; repository: string; isRequired: boolean };
}

class SelfWork {
  readonly #execution: JobExecution;
  readonly #context: WorkContext;
  readonly #part: SelfPart;
  /** Always at one place, so that snapshots share what is unchanged. */
  readonly #folder: string;

  constructor(execution: JobExecution, context: WorkContext, part: SelfPart) {
    this.#execution = execution;
    this.#context = context;
    this.#part = part;
    this.#folder = join(context.folder, 'self');
  }

  async run(signal: AbortSignal): Promise<PartResult> {
    const { plan, spec, place } = this.#part;
    await using opened = await openForJob(spec, this.#context.surroundings, signal);
    const repository = opened.thing;
    const out = join(this.#folder, 'out');
    rmSync(out, { recursive: true, force: true });
    mkdirSync(out, { recursive: true, mode: 0o700 });
    await this.#context.records.copyTo(join(out, fileName));
    const { job } = this.#execution;
    const { snapshot, summary, state, problems } = await backup({
      repository,
      source: filesSource({ paths: [out] }),
      tags: [`name=${sourceName}`, `plan=${plan}`, `job=${job.id}`, `attempt=${job.attempt}`],
      signal,
    });
    rmSync(out, { recursive: true, force: true });
    const { id, timeNs, hostname, paths } = snapshot!;
    const plans = await this.#readBack(repository, id, signal);
    this.#execution.log(
      'info',
      `restored the catalog from ${place.repository} and opened it: ${plans} plans`,
    );
    return {
      ...place,
      state,
      snapshotId: id,
      takenAt: new Date(Number(timeNs / 1_000_000n)).toISOString(),
      hostname,
      paths,
      readBackAt: new Date(repository.clock.nowMs()).toISOString(),
      isReadBack: true,
      processedBytes: summary.totalBytesProcessed,
      itemCount: summary.totalFilesProcessed,
      ...reasonOfProblems(problems),
    };
  }

  /** @returns how many plans the restored catalog has */
  async #readBack(repository: Repository, id: SnapshotId, signal: AbortSignal): Promise<number> {
    const target = join(this.#folder, 'in');
    rmSync(target, { recursive: true, force: true });
    try {
      const snapshot = await repository.findSnapshot(id);
      const { state, problems } = await restore({ repository, snapshot, target, signal });
      if (state !== 'succeeded') throw problems[0]!.error;
      const path = join(target, this.#folder, 'out', fileName);
      await using copy = await openRecords({ place: { path }, masterKeys: this.#context.masterKeys });
      return (await copy.plans.list()).length;
    } finally {
      rmSync(target, { recursive: true, force: true });
    }
  }
}
