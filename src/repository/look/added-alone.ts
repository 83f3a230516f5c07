import type { Repository } from '../repository.ts';
import type { StoredSnapshot } from '../snapshot/snapshot.ts';
import { visitTrees } from './visit-trees.ts';

/** What would be free if only this snapshot was forgotten. */
export interface AddedAlone {
  snapshot: StoredSnapshot;
  blobCount: number;
  /** Stored bytes of blobs that no other snapshot uses. */
  sizeBytes: number;
}

const nobody = 0;
const several = -1;

/**
 * What each snapshot of the repository has alone, oldest first. Four bytes a blob, however many snapshots; a tree is read
 * twice at most, for who has it alone and for who shares it.
 */
export async function addedAlone(
  repository: Repository,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<AddedAlone[]> {
  const snapshots = await repository.snapshots();
  const { table } = await repository.index();
  /** By slot: who has the blob, as its number in `snapshots` + 1. */
  const owners = new Int32Array(table.slots);
  for (const [i, { tree }] of snapshots.entries()) {
    const owner = i + 1;
    /** Returns whether that changed anything: what is shared as a whole needs no second look. */
    const claim = (slot: number): boolean => {
      const before = owners[slot]!;
      if (before === owner || before === several) return false;
      owners[slot] = before === nobody ? owner : several;
      return true;
    };
    await visitTrees(repository, tree, { isEntered: claim, visitData: (slot) => void claim(slot) }, signal);
  }
  const alone = snapshots.map((snapshot): AddedAlone => ({ snapshot, blobCount: 0, sizeBytes: 0 }));
  table.forEach((_type, _id, place, slot) => {
    const owner = alone[owners[slot]! - 1];
    if (!owner) return;
    owner.blobCount++;
    owner.sizeBytes += place.length;
  });
  return alone;
}
