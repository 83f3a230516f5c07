import type { Repository, StoredSnapshot } from '#repository';
import {
  literalPattern,
  type MongoRestoreOptions,
  type MongoRestoreOutcome,
  openMongoSource,
  type RestorePlan,
  restoreMongoDump,
} from '#sources';
import { backup } from './backup.ts';
import { WorkflowError } from './errors.ts';
import { type FinalState, type Problem, stateOf } from './outcome.ts';
import { readBack } from './read-back.ts';
import { findHistory } from './stored-history.ts';

export interface RestoreDatabaseRequest extends Omit<MongoRestoreOptions, 'slices' | 'onProblem' | 'signal'> {
  repository: Repository;
  snapshot: StoredSnapshot;
  onProblem?: (problem: Problem) => void;
  signal?: AbortSignal;
}

export interface RestoreDatabaseOutcome extends MongoRestoreOutcome {
  state: FinalState;
  problems: Problem[];
  /** What the backup itself had lost or found strange; it was so in the snapshot. */
  inherited: number;
  /** What the target held and would have lost, as a snapshot of its own. */
  safety?: StoredSnapshot;
}

/**
 * Restores the dump of a snapshot into a deployment and compares it there with the manifest; with a time, or from a
 * slice of the oplog, replays the oplog up to there.
 * @throws SourceError 'sources.absent' when the snapshot has no dump; 'sources.target' rather than overwrite; 'sources.oplog-gap' when the time is not covered
 */
export async function restoreDatabase(request: RestoreDatabaseRequest): Promise<RestoreDatabaseOutcome> {
  const { repository, snapshot, ...options } = request;
  await using lock = await repository.lock({ exclusive: false, signal: request.signal });
  const { until: wished } = options;
  const { signal } = lock;
  const { dump, slices, until } = await findHistory({ repository, snapshot, until: wished, signal });
  const problems: Problem[] = [];
  let safety: StoredSnapshot | undefined;
  const counts = await restoreMongoDump(dump.manifest, dump.open, {
    ...options,
    slices,
    until,
    async onPlan(plan) {
      await options.onPlan?.(plan);
      if (options.drop && !options.dryRun) safety = await saveReplaced(request, plan, lock.signal);
    },
    onProblem(problem) {
      problems.push(problem);
      request.onProblem?.(problem);
    },
    signal,
  });
  return {
    ...counts,
    problems,
    state: stateOf(problems),
    inherited: dump.manifest.problems.length,
    ...(safety ? { safety } : {}),
  };
}

/** On what a restore replaces; `latest` never means it. */
const safetyTag = 'holdfast-safety';

/**
 * Backs up what would be dropped, and reads it back.
 * @throws WorkflowError 'workflows.incomplete' when it is not whole: then nothing is dropped
 */
async function saveReplaced(
  { repository, url, onProblem }: RestoreDatabaseRequest,
  { collections }: RestorePlan,
  signal: AbortSignal,
): Promise<StoredSnapshot | undefined> {
  const names = collections
    .filter((one) => one.holdsDocuments)
    .map(({ database, name }) => `${database}.${name}`);
  if (names.length === 0) return undefined;
  const source = await openMongoSource({ url, includes: names.map(literalPattern) });
  const problems = onProblem ? { onProblem } : {};
  const { snapshot } = await backup({ repository, source, tags: [safetyTag], signal, ...problems }).then(
    (made) => assertWhole(made),
  );
  const proof = await readBack({ repository, snapshot: snapshot!, signal, ...problems });
  if (proof) assertWhole(proof);
  return snapshot;
}

function assertWhole<Outcome extends { state: FinalState }>(outcome: Outcome): Outcome {
  if (outcome.state !== 'partial') return outcome;
  throw new WorkflowError(
    'workflows.incomplete',
    'nothing was replaced: what is there could not be saved first',
    {
      hint: 'See to what is listed, or restore under another name.',
    },
  );
}
