import type { FileAttributes } from '#base';
import type { BlobId } from '../format/ids.ts';

/** One entry of a folder as it stands in a tree blob. */
export interface TreeNode extends FileAttributes {
  /** Raw bytes, as the file system gave them. */
  name: Uint8Array;
  /** Data blobs in order for a file (empty for an empty one); null for every other type. */
  content: BlobId[] | null;
  /** Tree blob of a folder. */
  subtree?: BlobId;
  /** Windows data, kept verbatim: the text of a JSON object. */
  genericAttributes?: string;
  /** What the writer could not read of this file. */
  error?: string;
}

/** An entry of a type that this program does not know: it can be shown, not restored. */
export interface UnknownNode {
  name: Uint8Array;
  type: string;
}

export interface Tree {
  /** In ascending order of the bytes of their names. */
  nodes: TreeNode[];
  unknown: UnknownNode[];
}

export interface NodeParts {
  content?: BlobId[];
  subtree?: BlobId;
  /** Keep the time of last access. restic writes the time of modification instead, so that reading changes no tree. */
  withAccessTime?: boolean;
}

/** The node of a file whose attributes were read from a source. */
export function nodeOf(name: Uint8Array, attributes: FileAttributes, parts: NodeParts = {}): TreeNode {
  return {
    ...attributes,
    atimeNs: parts.withAccessTime ? attributes.atimeNs : attributes.mtimeNs,
    name,
    content: attributes.type === 'file' ? (parts.content ?? []) : null,
    ...(parts.subtree === undefined ? {} : { subtree: parts.subtree }),
  };
}

/** Order of names in a tree: by their bytes. */
export function compareNames(a: { name: Uint8Array }, b: { name: Uint8Array }): number {
  return Buffer.compare(a.name, b.name);
}

/** Whether a name may be used in a path below a restore target: not empty, no `/`, no NUL, not `.` or `..`. */
export function isSafeName(name: Uint8Array): boolean {
  if (name.length === 0 || name.includes(0x2f) || name.includes(0)) return false;
  return !(name[0] === 0x2e && (name.length === 1 || (name.length === 2 && name[1] === 0x2e)));
}
