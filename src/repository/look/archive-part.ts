import type { TreeNode } from '../snapshot/tree.ts';

export interface ArchiveEntry {
  /** For people. */
  path: string;
  /** Raw bytes from the snapshot's root, without a leading slash. */
  name: Uint8Array;
  node: TreeNode;
  /** The entry is another name of this one, which came before; no content follows. */
  linkTo?: Uint8Array;
}

/** An entry, or a piece of the content of the entry before. */
export type ArchivePart = ArchiveEntry | Uint8Array;
