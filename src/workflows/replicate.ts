import { resolve } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Clock, systemClock } from '#base';
import type { Storage } from '#storage';
import { WorkflowError } from './errors.ts';
import { type FinalState, type Problem, stateOf } from './outcome.ts';
import { type Change, type CompareBy, changeOf } from './replicate/changes.ts';
import { Inventory } from './replicate/inventory.ts';
import { type ReplicateCounts, Replication } from './replicate/replication.ts';
import { hasSameConfig, isRepository, stagesOf } from './replicate/repository-order.ts';
import { takeInventory } from './replicate/take-inventory.ts';

export interface ReplicateRequest {
  from: Storage;
  to: Storage;
  /** Default: 'facts'. A repository's files are told apart by name and size, since their names are hashes. */
  compareBy?: CompareBy | undefined;
  /** Brings older versions too, oldest first. Both places must keep versions; ids and times become the target's own. */
  isWithVersions?: boolean | undefined;
  /** Reads back what was written. */
  verify?: boolean | undefined;
  /** What to do with files that the source does not have. Without it, they stay. */
  deletes?: DeleteRule | undefined;
  /** Patterns in restic's syntax, see `PathPatterns`. What they leave out is not touched on either side. */
  includes?: readonly string[] | undefined;
  excludes?: readonly string[] | undefined;
  /** Files under way at once. */
  filesAtOnce?: number | undefined;
  /** Lists and compares, and changes nothing. */
  dryRun?: boolean | undefined;
  clock?: Clock | undefined;
  onChange?: ((change: PlannedChange) => void) | undefined;
  onProgress?: ((progress: ReplicateProgress) => void) | undefined;
  onProblem?: ((problem: Problem) => void) | undefined;
  signal?: AbortSignal | undefined;
}

interface DeleteRule {
  /** No file is touched when more would be deleted: of a hundred at the target, or in all. */
  max: { percent: number } | { count: number };
  /** Prefix at the target, ending in a slash, where deleted files go first. */
  trash?: string | undefined;
}

/** What is done, or would be, to one name. */
export interface PlannedChange {
  /** 'compare': replaced, if the contents differ. */
  action: 'create' | 'replace' | 'compare' | 'replay' | 'delete';
  name: string;
  sizeBytes: number;
}

/** Counters that grow while the job runs. */
interface ReplicateProgress {
  phase: 'listing' | 'copying' | 'deleting';
  filesListed: number;
  /** What shall be copied. */
  filesTotal: number;
  bytesTotal: number;
  filesDone: number;
  bytesDone: number;
}

export interface ReplicateOutcome {
  state: FinalState;
  problems: Problem[];
  isRepository: boolean;
  counts: ReplicateCounts;
  progress: ReplicateProgress;
}

/** A source repository that is pruned meanwhile makes us begin anew, so many times. */
const roundsMax = 3;

/**
 * Makes one storage hold what another holds: what is missing or changed is copied, and on request what is too much is
 * deleted. Run again after any interruption it goes on where it was. A repository is copied in an order that leaves
 * the target sound at any time. Rejects when nothing could be done, or when going on makes no sense; a file that fails
 * is a problem, and the rest goes on.
 * @throws WorkflowError; StorageError
 */
export async function replicate(request: ReplicateRequest): Promise<ReplicateOutcome> {
  const { from, to, signal } = request;
  assertApart(from, to);
  const isRepositoryToo = await isRepository(from, { signal });
  await assertPossible(request, isRepositoryToo);
  const hasNewConfig = isRepositoryToo && !(await hasSameConfig(from, to, { signal }));
  for (let round = 1; ; round++) {
    const outcome = await replicateOnce(request, { isRepository: isRepositoryToo, hasNewConfig });
    if (outcome) return outcome;
    if (round === roundsMax) {
      throw new WorkflowError('workflows.changed', `${from.location} is being pruned or rewritten`, {
        hint: 'Run it again when that is done; what was copied stays.',
      });
    }
  }
}

/** @returns undefined when a repository changed in a way that makes the inventory useless */
async function replicateOnce(
  request: ReplicateRequest,
  kind: SourceKind,
): Promise<ReplicateOutcome | undefined> {
  const { isRepository } = kind;
  const { dryRun = false, isWithVersions = false, signal } = request;
  const progress = newProgress();
  request.onProgress?.(progress);
  using inventory = new Inventory();
  await takeInventory(inventory, {
    ...request,
    isRepository,
    isWithVersions,
    trash: request.deletes?.trash,
    onListed: () => {
      progress.filesListed++;
    },
    signal,
  });
  const plan = await planned(request, { ...kind, inventory, progress });
  assertFewDeletes(request, plan);
  const replication = new Replication({
    ...request,
    inventory,
    isRepository,
    progress,
    verify: request.verify ?? false,
    clock: request.clock ?? systemClock,
  });
  replication.counts.unchanged = plan.unchangedCount;
  const isDone = dryRun || (await replication.run());
  if (!isDone) return undefined;
  const { problems, counts } = replication;
  return { state: stateOf(problems), problems, isRepository, counts, progress };
}

function newProgress(): ReplicateProgress {
  return { phase: 'listing', filesListed: 0, filesTotal: 0, bytesTotal: 0, filesDone: 0, bytesDone: 0 };
}

interface SourceKind {
  isRepository: boolean;
  /** Of a repository: the target has none, or that of an earlier version of the format, which is of the same size. */
  hasNewConfig: boolean;
}

interface Planning extends SourceKind {
  inventory: Inventory;
  progress: ReplicateProgress;
}

interface PlanCounts {
  /** Files at the target now. */
  targetCount: number;
  deleteCount: number;
  unchangedCount: number;
}

/** Names that are compared before others have their turn: signals, and progress that is shown. */
const comparedAtOnce = 1000;

async function planned(
  request: ReplicateRequest,
  { inventory, isRepository, hasNewConfig, progress }: Planning,
): Promise<PlanCounts> {
  const { stageOf } = stagesOf(isRepository);
  const { isWithVersions = false, deletes, onChange } = request;
  const compareBy = isRepository && request.compareBy !== 'content' ? 'size' : (request.compareBy ?? 'facts');
  const counts = { targetCount: 0, deleteCount: 0, unchangedCount: 0 };
  let comparedCount = 0;
  for (const contents of inventory.contents()) {
    if (++comparedCount % comparedAtOnce === 0) await nextTurn();
    request.signal?.throwIfAborted();
    if (contents.to.some(({ isLatest, isDeleteMarker }) => isLatest && !isDeleteMarker)) counts.targetCount++;
    const isNewConfig = hasNewConfig && contents.name === 'config';
    const change = changeOf(contents, { compareBy: isNewConfig ? 'content' : compareBy, isWithVersions });
    if (!change && contents.from.length > 0) counts.unchangedCount++;
    if (!change || (change.action === 'delete' && (!deletes || (contents.name === 'config' && isRepository))))
      continue;
    const sizeBytes = sizeOf(change);
    if (change.action === 'delete') counts.deleteCount++;
    else {
      progress.filesTotal++;
      progress.bytesTotal += sizeBytes;
    }
    inventory.plan(stageOf(change.name), change);
    onChange?.({ action: actionOf(change), name: change.name, sizeBytes });
  }
  return counts;
}

function sizeOf(change: Change): number {
  if (change.action === 'delete') return change.to.sizeBytes;
  if (change.action === 'copy') return change.from.sizeBytes;
  return change.versions.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

function actionOf(change: Change): PlannedChange['action'] {
  if (change.action !== 'copy') return change.action;
  if (change.isDoubtful) return 'compare';
  return change.replaces ? 'replace' : 'create';
}

function assertFewDeletes({ deletes, to }: ReplicateRequest, { deleteCount, targetCount }: PlanCounts): void {
  if (!deletes || deleteCount === 0) return;
  const { max } = deletes;
  const countMax = 'count' in max ? max.count : Math.floor((targetCount * max.percent) / 100);
  if (deleteCount <= countMax) return;
  const share = `${deleteCount} of ${targetCount} files in ${to.location}`;
  throw new WorkflowError(
    'workflows.too-many-deletes',
    `${share} would be deleted, more than the ${countMax} allowed`,
    {
      hint: `Look at what is missing at the source (--dry-run). If it is meant, allow it with --max-delete ${deleteCount}.`,
      context: { deleteCount, targetCount, countMax },
    },
  );
}

/** A copy into itself would grow with every run. */
function assertApart(from: Storage, to: Storage): void {
  const [source, target] = [placeOf(from), placeOf(to)];
  if (!`${source}/`.startsWith(`${target}/`) && !`${target}/`.startsWith(`${source}/`)) return;
  if (source.startsWith('memory:')) return;
  throw new WorkflowError('workflows.same-place', `${from.location} and ${to.location} lie in each other`, {
    hint: 'Choose a target outside of the source.',
  });
}

function placeOf({ location }: Storage): string {
  const path = /^[a-z][a-z0-9+.-]*:/i.test(location) ? location.replace(/^local:/i, '') : location;
  return (path === location && path.includes(':') ? path : resolve(path)).replace(/\/+$/, '');
}

async function assertPossible(request: ReplicateRequest, isRepository: boolean): Promise<void> {
  const { from, to, isWithVersions, includes = [], excludes = [], signal } = request;
  if (isRepository && includes.length + excludes.length > 0) {
    throw new WorkflowError(
      'workflows.unsupported',
      `cannot replicate a part of the repository ${from.location}`,
      {
        hint: 'Leave the patterns out; `holdfast copy` copies single snapshots into another repository.',
      },
    );
  }
  if (!isWithVersions) return;
  if (isRepository) {
    throw new WorkflowError('workflows.unsupported', 'cannot replay the versions of a repository', {
      hint: 'Leave --versions out: the history of a repository is in its snapshots.',
    });
  }
  for (const storage of [from, to]) {
    if (await storage.versions?.areKept({ signal })) continue;
    throw new WorkflowError('workflows.unsupported', `${storage.location} keeps no older versions`, {
      hint: 'Switch versioning on for this bucket, or leave --versions out.',
    });
  }
}
