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

/**
 * Stored bytes of blobs that nobody would need when the first n snapshots of a list were forgotten: for each n, from
 * none of them (what is unused already) to all. Four bytes a blob, and each tree is read once.
 * @param options.keep all other snapshots of the repository
 */
export async function freedByForgetting(
  repository: Repository,
  forget: readonly StoredSnapshot[],
  { keep, signal }: { keep: readonly StoredSnapshot[]; signal?: AbortSignal | undefined },
): Promise<number[]> {
  const { table } = await repository.index();
  /** By slot: who needs the blob to the last, as its number in `holders` + 1. */
  const lastHolder = new Int32Array(table.slots);
  const holders = [keep, ...forget.toReversed().map((snapshot) => [snapshot])];
  for (const [i, snapshots] of holders.entries()) {
    const claim = (slot: number): boolean => {
      if (lastHolder[slot] !== 0) return false;
      lastHolder[slot] = i + 1;
      return true;
    };
    const visitor = { isEntered: claim, visitData: (slot: number) => void claim(slot) };
    for (const { tree } of snapshots) await visitTrees(repository, tree, visitor, signal);
  }
  const heldBytes = new Float64Array(holders.length + 1);
  table.forEach((_type, _id, { length }, slot) => {
    heldBytes[lastHolder[slot]!]! += length;
  });
  const freed = [heldBytes[0]!];
  for (let i = holders.length; i > 1; i--) freed.push(freed.at(-1)! + heldBytes[i]!);
  return freed;
}
