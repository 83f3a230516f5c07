import type { Repository, StoredSnapshot } from '#repository';
import { findStoredDocuments } from '#workflows';
import { counted, formatTime, type Output } from './output.ts';

/** Tells the documents of these `_id`s in the dumps of snapshots, one a line; with --json as objects. */
export async function tellDocuments(
  output: Output,
  request: {
    repository: Repository;
    snapshots: readonly StoredSnapshot[];
    ids: readonly string[];
    includes: readonly string[] | undefined;
    signal: AbortSignal;
  },
): Promise<void> {
  let count = 0;
  let last: StoredSnapshot | undefined;
  for await (const { snapshot, namespace, json } of findStoredDocuments(request)) {
    count++;
    if (output.isJson) {
      output.object({
        message_type: 'document',
        snapshot: snapshot.id,
        namespace,
        document: JSON.parse(json),
      });
      continue;
    }
    if (snapshot !== last)
      output.note(`snapshot ${snapshot.id.slice(0, 8)} at ${formatTime(snapshot.timeNs)}`);
    last = snapshot;
    output.line(`${namespace}  ${json}`);
  }
  if (!output.isJson) output.note(count === 0 ? 'nothing was found' : counted(count, 'document'));
}
