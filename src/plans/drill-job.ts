import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { JobVerdict, SnapshotRecord } from '#catalog';
import { BackupPlan, Name, RepositorySpec, SelfPlan } from '#contract';
import type { JobExecution, JobKind } from '#jobs';
import type { Repository, StoredSnapshot } from '#repository';
import { type Problem, restore, restoreDatabase } from '#workflows';
import { openForJob, plainUrl } from './open-specs.ts';
import { type PartResult, reasonOfProblems, verdictOf } from './part-result.ts';
import { logProblem, partStep } from './part-step.ts';
import { type Proof, recordProof } from './proof-record.ts';
import type { WorkContext } from './work-context.ts';

export const DrillJobInput = z.object({
  plan: Name,
  spec: z.discriminatedUnion('kind', [BackupPlan, SelfPlan]),
  /** What is restored into a database, and which kind of place that needs. */
  kinds: z.record(Name, z.string()),
  repositories: z.record(Name, RepositorySpec),
});
export type DrillJobInput = z.infer<typeof DrillJobInput>;

/** Really restores the newest snapshot of each source from each repository into a throw-away place, compares, and measures. */
export function drillJob(context: WorkContext): JobKind<DrillJobInput> {
  return {
    name: 'drill',
    version: 1,
    parse: (input) => DrillJobInput.parse(input),
    run: (execution, input) => new Drill(execution, input, context).run(),
  };
}

/** What a restore into a throw-away place showed. */
interface Outcome {
  comparisons: Proof['comparisons'];
  counts: Record<string, number>;
  problems: readonly Problem[];
  state: PartResult['state'];
}

class Drill {
  readonly #execution: JobExecution;
  readonly #input: DrillJobInput;
  readonly #context: WorkContext;

  constructor(execution: JobExecution, input: DrillJobInput, context: WorkContext) {
    this.#execution = execution;
    this.#input = input;
    this.#context = context;
  }

  async run(): Promise<JobVerdict> {
    const parts: PartResult[] = [];
    for (const repository of Object.keys(this.#input.repositories))
      for (const source of Object.keys(this.#input.kinds)) {
        const place = { source, repository, isRequired: true };
        const step = { name: `restore ${source} from ${repository}`, place };
        parts.push(
          await partStep(this.#execution, step, async (signal) => ({
            ...place,
            ...(await this.#drill(place, signal)),
          })),
        );
      }
    return verdictOf(parts);
  }

  async #drill(
    { source, repository }: { source: string; repository: string },
    signal: AbortSignal,
  ): Promise<Omit<PartResult, 'source' | 'repository' | 'isRequired'>> {
    const { plan, spec, kinds, repositories } = this.#input;
    const { records, surroundings } = this.#context;
    const { items } = await records.snapshots.list({ repository, plan, source }, { limit: 1 });
    const [known] = items;
    if (!known)
      return notDrilled('plans.no-snapshot', `there is no snapshot of ${source}`, 'Run the plan first.');
    const isDatabase = kinds[source] === 'mongodb';
    const scratch = spec.prove?.drill?.scratch?.[source];
    if (isDatabase && !scratch)
      return notDrilled(
        'plans.no-scratch',
        `nobody has said where ${source} may be restored to`,
        `Give the URL of a throw-away deployment as prove.drill.scratch.${source}.`,
      );
    await using opened = await openForJob(repositories[repository]!, surroundings, signal);
    const snapshot = await opened.thing.findSnapshot(known.id);
    const { clock } = opened.thing;
    const startedMs = clock.monotonicMs();
    const work = { repository: opened.thing, snapshot, signal };
    const outcome = isDatabase
      ? await this.#restoreDatabase(work, await plainUrl(scratch!, surroundings))
      : await this.#restoreFiles(work, join(this.#context.folder, 'drill', this.#execution.job.id));
    const seconds = (clock.monotonicMs() - startedMs) / 1000;
    return this.#record(known, outcome, { seconds, at: new Date(clock.nowMs()) });
  }

  async #record(
    snapshot: SnapshotRecord,
    { comparisons, counts, problems, state }: Outcome,
    { seconds, at }: { seconds: number; at: Date },
  ): Promise<Omit<PartResult, 'source' | 'repository' | 'isRequired'>> {
    await this.#execution.assertHeld();
    const isProven = state !== 'partial' && comparisons.every(({ isEqual }) => isEqual);
    const proof: Proof = {
      rung: 'drilled',
      state: isProven ? 'proven' : 'failed',
      at,
      jobId: this.#execution.job.id,
      comparisons,
      restoreSeconds: seconds,
      note: `restored in ${seconds.toFixed(1)} s`,
    };
    const [evidenceId] = await recordProof(this.#context.records, proof, [snapshot]);
    this.#execution.log('info', `${snapshot.source} from ${snapshot.repository}: ${proof.note}`);
    const reason = isProven
      ? reasonOfProblems(problems, 'workflows.not-restored')
      : reasonOfDifference(comparisons, problems);
    return {
      state: isProven ? state : 'failed',
      snapshotId: snapshot.id,
      counts: { ...counts, seconds },
      ...(evidenceId && { evidenceId }),
      ...reason,
    };
  }

  async #restoreFiles(work: Restoring, folder: string): Promise<Outcome> {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    try {
      const { state, problems, progress, summary, verified } = await restore({
        ...work,
        target: folder,
        verify: true,
        onProblem: (problem) => logProblem(this.#execution, problem),
        onProgress: (live) =>
          this.#execution.progress({
            phase: 'restore',
            bytesDone: live.bytesDone,
            bytesTotal: live.bytesTotal,
            itemsDone: live.filesDone,
            itemsTotal: live.filesTotal,
          }),
      });
      // Further names of a file are read once.
      const files = verified!.files + summary.links;
      return {
        state,
        problems,
        comparisons: [compared('files', progress.filesTotal, files)],
        counts: { files, bytes: verified!.sizeBytes },
      };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  async #restoreDatabase(work: Restoring, url: string): Promise<Outcome> {
    const { state, problems, collections, matched, documents, bytes } = await restoreDatabase({
      ...work,
      url,
      isThrownAway: true,
      onProblem: (problem) => logProblem(this.#execution, problem),
    });
    return {
      state,
      problems,
      comparisons: [compared('collections', collections, matched)],
      counts: { documents, collections, bytes },
    };
  }
}

interface Restoring {
  repository: Repository;
  snapshot: StoredSnapshot;
  signal: AbortSignal;
}

function compared(what: string, expected: number, found: number): Proof['comparisons'][number] {
  return { what, expected: `${expected}`, found: `${found}`, isEqual: expected === found };
}

function notDrilled(code: string, message: string, hint: string): Pick<PartResult, 'state' | 'reason'> {
  return { state: code === 'plans.no-scratch' ? 'warning' : 'failed', reason: { code, message, hint } };
}

function reasonOfDifference(
  comparisons: Proof['comparisons'],
  problems: readonly Problem[],
): Pick<PartResult, 'reason'> {
  const { reason } = reasonOfProblems(problems, 'workflows.not-restored');
  if (reason) return { reason };
  const { what, expected, found } = comparisons.find(({ isEqual }) => !isEqual)!;
  return {
    reason: { code: 'plans.differs', message: `restored ${found} ${what}, where ${expected} were stored` },
  };
}
