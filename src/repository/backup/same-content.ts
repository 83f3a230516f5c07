import type { BlobId } from '../format/ids.ts';
import type { TreeNode } from '../snapshot/tree.ts';
import { encodeTree } from '../snapshot/tree-encode.ts';

/**
 * Whether two root trees hold the same at each of `paths`. The folders on the way there do not count: a file that
 * comes and goes in `/tmp` changes `/tmp`, not `/tmp/shop`. False where a path is found in neither.
 */
export async function hasSameContent(
  roots: readonly [BlobId, BlobId],
  paths: readonly string[],
  readTree: (id: BlobId) => Promise<TreeNode[]>,
): Promise<boolean> {
  if (roots[0] === roots[1]) return true;
  for (const path of paths) {
    const names = path.split('/').filter((name) => name !== '');
    const [one, other] = [await nodeAt(roots[0], names, readTree), await nodeAt(roots[1], names, readTree)];
    if (!one || !other || Buffer.compare(encodeTree([one]), encodeTree([other])) !== 0) return false;
  }
  return paths.length > 0;
}

async function nodeAt(
  root: BlobId,
  names: readonly string[],
  readTree: (id: BlobId) => Promise<TreeNode[]>,
): Promise<TreeNode | undefined> {
  let tree: BlobId | undefined = root;
  let found: TreeNode | undefined;
  for (const name of names) {
    if (tree === undefined) return undefined;
    const wanted = Buffer.from(name);
    found = (await readTree(tree)).find((node) => wanted.equals(node.name));
    tree = found?.subtree;
  }
  return found;
}
