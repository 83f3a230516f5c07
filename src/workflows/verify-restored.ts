import { hash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { filePartsOf, type Repository, type TreeNode } from '#repository';
import type { FolderTarget, RestoredFile } from '#sources';
import type { Problem } from './outcome.ts';
import { type RestoreSelection, wantedEntries } from './restore-entries.ts';

/** What was read back from the target and is as the snapshot has it. */
export interface VerifiedCounts {
  files: number;
  sizeBytes: number;
}

/**
 * Reads every file that was restored back from the target, from the disk where the system lets go of its memory, and
 * compares each part's hash with the snapshot's. What differs is a problem of gravity *lost*. What policy left alone
 * and what failed before is not asked for again.
 */
export async function verifyRestored(run: {
  request: RestoreSelection;
  target: FolderTarget;
  progress: { bytesVerified: number };
  note(problem: Problem): void;
}): Promise<VerifiedCounts> {
  const { request, target, progress, note } = run;
  const counts: VerifiedCounts = { files: 0, sizeBytes: 0 };
  const closed = new Set<TreeNode>();
  const linked = new Set<bigint>();
  await target.flush();
  // A folder that cannot be read was told by the restore.
  for await (const { names, path, node } of wantedEntries(request, { closed })) {
    if (!target.isRestored(names)) closed.add(node);
    else if (node.type === 'file') {
      try {
        using file = target.openRestored(names);
        if (linked.has(file.inode)) continue;
        if (file.links > 1) linked.add(file.inode);
        await compareContent(request.repository, node, file, (count) => {
          progress.bytesVerified += count;
        });
        counts.files++;
        counts.sizeBytes += node.sizeBytes;
      } catch (cause) {
        request.signal?.throwIfAborted();
        const error = new Error(`read back: ${(cause as Error).message}`, { cause });
        note({ path, error, gravity: 'lost' });
      }
    }
  }
  return counts;
}

/** Compares a file in the target with the snapshot's. @throws Error that says what differs */
export async function compareContent(
  repository: Repository,
  node: TreeNode,
  file: RestoredFile,
  onBytes?: (count: number) => void,
): Promise<void> {
  if (file.sizeBytes !== node.sizeBytes)
    throw new Error(`it has ${file.sizeBytes} bytes, the snapshot ${node.sizeBytes}`);
  for (const { id, offset, length } of await filePartsOf(repository, node)) {
    if (hash('sha256', file.read(offset, length)) !== id)
      throw new Error(`it differs from the snapshot within bytes ${offset} to ${offset + length}`);
    onBytes?.(length);
    await nextTurn();
  }
}
