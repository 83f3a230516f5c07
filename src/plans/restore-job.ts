import { z } from 'zod';
import type { JobVerdict, NewJob } from '#catalog';
import { RepositorySpec, RestoreInput } from '#contract';
import type { JobExecution, JobKind } from '#jobs';
import type { Repository, StoredSnapshot } from '#repository';
import {
  type FinalState,
  type Problem,
  previewRestore,
  type RestoreProgress,
  restore,
  restoreDatabase,
  restoreFilter,
  WorkflowError,
} from '#workflows';
import { openForJob, plainUrl } from './open-specs.ts';
import { reasonOfProblems } from './part-result.ts';
import { logProblem } from './part-step.ts';
import { assertTarget, isFolderTarget } from './restore-target.ts';
import type { RunReason } from './submit-plan.ts';
import type { WorkContext } from './work-context.ts';

const RestoreJobInput = z.object({ request: RestoreInput, spec: RepositorySpec });
type RestoreJobInput = z.infer<typeof RestoreJobInput>;

/**
 * Makes the job that restores a snapshot, or a part of one.
 * @throws PlanError, see `assertTarget`; CatalogError 'catalog.absent'
 */
export async function jobOfRestore(
  { records, home }: Pick<WorkContext, 'records' | 'home'>,
  request: RestoreInput,
  reason: RunReason,
): Promise<NewJob> {
  const { spec } = await records.repositories.get(request.repository);
  assertTarget(request, { home });
  const input: RestoreJobInput = { request, spec };
  const { repository, snapshotId, target } = request;
  const snapshot = await records.snapshots.find(repository, snapshotId);
  return {
    kind: 'restore',
    version: 1,
    input,
    ...(snapshot?.plan && { plan: snapshot.plan }),
    limits: [`storage:${repository}`, `target:${target}`],
    ...reason,
  };
}

/** Restores files into a folder, read back there and compared, or a dump into a database. */
export function restoreJob(context: WorkContext): JobKind<RestoreJobInput> {
  return {
    name: 'restore',
    version: 1,
    parse: (input) => RestoreJobInput.parse(input),
    run: (execution, input) => runRestore(execution, input, context),
  };
}

async function runRestore(
  execution: JobExecution,
  { request, spec }: RestoreJobInput,
  context: WorkContext,
): Promise<JobVerdict> {
  const { repository, snapshotId, target, dryRun } = request;
  // Not again after an interruption: then our own files are there.
  await execution.step('look at the target', async () => assertTarget(request, context));
  const done = await execution.step(dryRun ? 'look what would be done' : 'restore', async (signal) => {
    await using opened = await openForJob(spec, context.surroundings, signal);
    const snapshot = await opened.thing.findSnapshot(snapshotId);
    const work = { execution, request, repository: opened.thing, snapshot, signal };
    if (isFolderTarget(request)) return dryRun ? preview(work) : restoreFolder(work);
    return restoreMongodb(work, await plainUrl(target, context.surroundings));
  });
  const { state, counts, reason } = done;
  const part = { repository, snapshotId, state, counts, ...(reason && { reason }) };
  return { state, ...(reason && { reason }), result: { parts: [part] } };
}

interface Work {
  execution: JobExecution;
  request: RestoreInput;
  repository: Repository;
  snapshot: StoredSnapshot;
  signal: AbortSignal;
}

type Done = ReturnType<typeof doneOf>;

function doneOf(
  { state, problems }: { state: FinalState; problems: readonly Problem[] },
  counts: Record<string, number>,
) {
  return { state, counts, ...reasonOfProblems(problems, 'workflows.not-restored') };
}

function selectionOf({ execution, request, repository, snapshot, signal }: Work) {
  const { path, include, exclude, overwrite, target } = request;
  return {
    repository,
    snapshot,
    target,
    ...(path !== undefined && { path }),
    ...((include || exclude) && { isWanted: restoreFilter({ includes: include, excludes: exclude }) }),
    overwrite: overwrite ?? 'never',
    onProblem: (problem: Problem) => logProblem(execution, problem),
    signal,
  } as const;
}

async function preview(work: Work): Promise<Done> {
  const outcome = await previewRestore(selectionOf(work));
  const { created, replaced, unchanged, left, sizeBytes } = outcome;
  work.execution.log(
    'info',
    `would make ${created}, replace ${replaced}, leave ${left} alone; ${unchanged} look the same`,
  );
  return doneOf(outcome, { created, replaced, unchanged, left, bytes: sizeBytes });
}

async function restoreFolder(work: Work): Promise<Done> {
  const { execution, request } = work;
  await using following = new AsyncDisposableStack();
  const outcome = await restore({
    ...selectionOf(work),
    verify: request.verify ?? true,
    onProgress: (progress) => follow(execution, progress, following),
  });
  const { summary, verified, progress } = outcome;
  const { files, folders, unchanged, left, links } = summary;
  execution.log(
    'info',
    `restored ${files} files and ${folders} folders${verified ? `, read ${verified.files} back and compared them` : ''}`,
  );
  return doneOf(outcome, {
    files,
    folders,
    links,
    unchanged,
    left,
    bytes: progress.bytesDone,
    ...(verified && { verifiedFiles: verified.files, verifiedBytes: verified.sizeBytes }),
  });
}

async function restoreMongodb(work: Work, url: string): Promise<Done> {
  const { execution, request, repository, snapshot, signal } = work;
  if (!/^mongodb(\+srv)?:\/\//.test(url))
    throw new WorkflowError('workflows.unsupported', 'this version restores into folders and MongoDB only', {
      hint: 'Use `holdfast restore` for other targets.',
    });
  const { include, exclude, overwrite, confirm, dryRun } = request;
  let bytesDone = 0;
  const outcome = await restoreDatabase({
    repository,
    snapshot,
    url,
    includes: include,
    excludes: exclude,
    drop: overwrite === 'always',
    confirmed: confirm === undefined ? [] : [confirm],
    dryRun,
    onPlan({ collections, moved, conflicts }) {
      for (const { from, to } of moved)
        execution.log('info', `${from} is there already: it is restored as ${to}`);
      for (const name of conflicts) execution.log('warning', `${name} holds documents already`);
      execution.log('info', `${collections.length} collections`);
    },
    onBytes: (count) => {
      bytesDone += count;
      execution.progress({ phase: 'restore', bytesDone, itemsDone: 0 });
    },
    onProblem: (problem) => logProblem(execution, problem),
    signal,
  });
  const { collections, documents, indexes, matched, bytes } = outcome;
  if (!dryRun)
    execution.log(
      'info',
      `restored ${documents} documents in ${collections} collections; ${matched} are as the manifest states`,
    );
  return doneOf(outcome, { collections, documents, indexes, matched, bytes });
}

function follow(execution: JobExecution, progress: RestoreProgress, until: AsyncDisposableStack): void {
  const done = new AbortController();
  until.defer(() => done.abort());
  execution.follow(
    () => ({
      phase: 'restore',
      bytesDone: progress.bytesDone,
      bytesTotal: progress.bytesTotal,
      itemsDone: progress.filesDone,
      itemsTotal: progress.filesTotal,
    }),
    done.signal,
  );
}
