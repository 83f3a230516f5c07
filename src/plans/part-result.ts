import type { JobVerdict } from '#catalog';
import type { JobResult, Reason } from '#contract';
import type { FinalState, Problem } from '#workflows';

/** What came of one source in one repository. */
export interface PartResult extends Omit<JobResult, 'state'> {
  source: string;
  repository: string;
  state: FinalState;
  /** Of the snapshot, where it is not the part's: a copy may succeed of what is *partial*. */
  snapshotState?: FinalState;
  /** Of the snapshot: when its state was, ISO; whose files, and where they lay. */
  takenAt?: string;
  hostname?: string;
  paths?: readonly string[];
  /** When its data was parsed again, and whether all of it matched. */
  readBackAt?: string;
  isReadBack?: boolean;
  /** False: a failure here is a warning for the job. */
  isRequired: boolean;
}

/** The job's state and sentence from those of its parts: the worst required one wins, and a part that lives says so. */
export function verdictOf(parts: readonly PartResult[]): JobVerdict {
  const result = { parts };
  const failed = parts.filter(({ state, isRequired }) => state === 'failed' && isRequired);
  if (failed.length > 0 && failed.length === parts.length)
    return { state: 'failed', ...reasonOf(failed), result };
  const partial = parts.filter(({ state, isRequired }) => state === 'partial' && isRequired);
  if (failed.length + partial.length > 0)
    return { state: 'partial', ...reasonOf([...failed, ...partial]), result };
  const odd = parts.filter(({ state }) => state !== 'succeeded');
  return odd.length > 0 ? { state: 'warning', ...reasonOf(odd), result } : { state: 'succeeded', result };
}

/** The first one's own words, and how many more there are. */
function reasonOf(parts: readonly PartResult[]): { reason: Reason } {
  const [first, ...more] = parts;
  const { source, repository, reason } = first!;
  const words = reason ?? { code: 'workflows.incomplete', message: 'not everything was done' };
  const others = more.length > 0 ? ` (and ${more.length} more)` : '';
  return { reason: { ...words, message: `${source} in ${repository}: ${words.message}${others}` } };
}

/** Why a state is not *succeeded*, from what went wrong with single things. */
export function reasonOfProblems(
  problems: readonly Problem[],
  lostCode = 'workflows.not-saved',
): { reason?: Reason } {
  const worst = problems.find(({ gravity }) => gravity === 'lost') ?? problems[0];
  if (!worst) return {};
  const others = problems.length > 1 ? `, and ${problems.length - 1} more` : '';
  const code = worst.gravity === 'lost' ? lostCode : 'workflows.odd';
  return { reason: { code, message: `${worst.path}: ${worst.error.message}${others}` } };
}
