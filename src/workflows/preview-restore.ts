import { messageOf } from '#base';
import type { TreeNode } from '#repository';
import { type Decision, type OverwritePolicy, TargetPreview } from '#sources';
import { type FinalState, type Problem, stateOf } from './outcome.ts';
import { firstNames, type RestoreEntry, type RestoreSelection, wantedEntries } from './restore-entries.ts';

export interface PreviewRequest extends RestoreSelection {
  target: string;
  overwrite?: OverwritePolicy;
  /** Told of each entry, in order. */
  onEntry?: (entry: { path: string; node: TreeNode; decision: Decision }) => void;
  onProblem?: (problem: Problem) => void;
}

/** What a restore would do: entries of every type, folders among them. */
export interface RestorePreview {
  state: FinalState;
  problems: Problem[];
  created: number;
  replaced: number;
  /** They look the same already; only their metadata would be set. */
  unchanged: number;
  /** By policy they would not be touched. */
  left: number;
  /** Content that would be written; a file with several names counts once. */
  sizeBytes: number;
}

const countOf = { create: 'created', replace: 'replaced', keep: 'unchanged', leave: 'left' } as const;

/** Looks at what a restore would do (`--dry-run`), and changes nothing in the target. Nothing is ever deleted by a restore. */
export async function previewRestore(request: PreviewRequest): Promise<RestorePreview> {
  const { repository, signal } = request;
  await using lock = await repository.lock({ exclusive: false, signal });
  const preview: RestorePreview = {
    state: 'succeeded',
    problems: [],
    created: 0,
    replaced: 0,
    unchanged: 0,
    left: 0,
    sizeBytes: 0,
  };
  const note = (problem: Problem): void => {
    preview.problems.push(problem);
    request.onProblem?.(problem);
  };
  const closed = new Set<TreeNode>();
  const isFirstName = firstNames();
  const target = new TargetPreview({ path: request.target, overwrite: request.overwrite });
  try {
    const entries = wantedEntries({ ...request, signal: lock.signal }, { closed, note });
    for await (const { names, path, node } of entries) {
      if (node.type === 'socket') continue;
      const isFirst = isFirstName(node);
      const decision = decide(target, { names, path, node }, note);
      if (!decision) {
        closed.add(node);
        continue;
      }
      preview[countOf[decision]]++;
      if (isFirst && (decision === 'create' || decision === 'replace')) preview.sizeBytes += node.sizeBytes;
      request.onEntry?.({ path, node, decision });
    }
  } finally {
    target.close();
  }
  preview.state = stateOf(preview.problems);
  return preview;
}

function decide(
  target: TargetPreview,
  { names, path, node }: RestoreEntry,
  note: (problem: Problem) => void,
): Decision | undefined {
  try {
    return target.decide(names, node);
  } catch (error) {
    note({
      path,
      error: new Error(`cannot be restored: ${messageOf(error)}`, { cause: error }),
      gravity: 'lost',
    });
    return undefined;
  }
}
