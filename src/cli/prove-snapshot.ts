import type { Repository, StoredSnapshot } from '#repository';
import { type ReadBackOutcome, readBack } from '#workflows';
import { counted, formatSize } from './output.ts';
import { withProgress } from './progress.ts';
import type { Session } from './session.ts';

/** Reads the data in a new snapshot back and tells whether it is what was read. Undefined for snapshots of files. */
export async function proveSnapshot(
  { output, signal }: Session<unknown>,
  repository: Repository,
  snapshot: StoredSnapshot,
  parent?: StoredSnapshot,
): Promise<ReadBackOutcome | undefined> {
  let bytesDone = 0;
  const outcome = await withProgress(
    output,
    () => ({ phase: 'reading back', bytesDone, filesDone: 0 }),
    () =>
      readBack({
        repository,
        snapshot,
        parent,
        onBytes: (count) => {
          bytesDone += count;
        },
        onProblem: ({ path, error, gravity }) => output.problem(path, error, gravity),
        signal,
      }),
  );
  if (!outcome) return undefined;
  const { collections, entries, documents, bytes, problems, unchanged, consistency } = outcome;
  const oplog = entries > 0 ? `${counted(entries, 'entry', 'entries')} of the oplog, ` : '';
  const read = `${oplog}${counted(documents, 'document')} of ${counted(collections, 'collection')}, ${formatSize(bytes)}`;
  if (consistency) output.note(consistency.sentence);
  if (unchanged !== undefined)
    output.note(
      `${unchanged} of ${counted(collections, 'collection')} as in snapshot ${parent!.id.slice(0, 8)}: their data cost no storage`,
    );
  output.note(
    problems.length === 0
      ? `read back: matched (${read})`
      : `read back: ${counted(problems.length, 'collection')} not as dumped, listed above`,
  );
  return outcome;
}
