import type { ExtendedAttribute } from '#base';
import type { TreeNode } from './tree.ts';

/**
 * Whether two nodes of one name stand in a tree blob with the same words. What only Windows or a failed read writes
 * (`genericAttributes`, `error`) counts as different, because we would not write it again.
 */
export function isSameNode(a: TreeNode, b: TreeNode): boolean {
  return (
    a.type === b.type &&
    a.mode === b.mode &&
    a.mtimeNs === b.mtimeNs &&
    a.atimeNs === b.atimeNs &&
    a.ctimeNs === b.ctimeNs &&
    a.uid === b.uid &&
    a.gid === b.gid &&
    a.user === b.user &&
    a.group === b.group &&
    isSameNumber(a.inode, b.inode) &&
    isSameNumber(a.deviceId, b.deviceId) &&
    a.sizeBytes === b.sizeBytes &&
    // A tree does not say how many links a folder has.
    (a.links === b.links || a.type === 'dir') &&
    a.subtree === b.subtree &&
    isSameContent(a.content, b.content) &&
    hasSameRareFields(a, b)
  );
}

function hasSameRareFields(a: TreeNode, b: TreeNode): boolean {
  return (
    isSameBytes(a.linkTarget, b.linkTarget) &&
    isSameNumber(a.device ?? 0n, b.device ?? 0n) &&
    hasSameXattrs(a.extendedAttributes ?? [], b.extendedAttributes ?? []) &&
    [a.genericAttributes, b.genericAttributes, a.error, b.error].every((text) => text === undefined)
  );
}

/** Node's bigint stat gives 64-bit numbers a sign. */
function isSameNumber(a: bigint, b: bigint): boolean {
  return a === b || BigInt.asUintN(64, a) === BigInt.asUintN(64, b);
}

function isSameContent(a: TreeNode['content'], b: TreeNode['content']): boolean {
  if (a === b) return true;
  return a !== null && b !== null && a.length === b.length && a.every((id, i) => id === b[i]);
}

function hasSameXattrs(a: readonly ExtendedAttribute[], b: readonly ExtendedAttribute[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ name, value }, i) => name === b[i]!.name && isSameBytes(value, b[i]!.value))
  );
}

function isSameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && Buffer.compare(a, b) === 0);
}
