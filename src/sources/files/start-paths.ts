import { lstatSync } from 'node:fs';
import { posix } from 'node:path';
import { systemCodeOf } from '#base';
import { type ByteText, fromByteText, toByteText } from './names.ts';

/** The paths to read as a tree of names: nodes on the way are upper folders, and those with `isStart` are read whole. */
export interface StartNode {
  isStart: boolean;
  below: Map<ByteText, StartNode>;
}

/** Absolute, without `.`, `..`, and doubled or trailing slashes; links are not resolved. */
export function cleanPath(path: string | Uint8Array, cwd: string): ByteText {
  return posix.resolve(toByteText(cwd), toByteText(path));
}

/** False only when it surely does not: what cannot be looked at becomes a problem of the walk. */
export function mayExist(path: ByteText): boolean {
  try {
    return lstatSync(fromByteText(path), { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    return systemCodeOf(error) !== 'ENOTDIR';
  }
}

/** @param paths absolute and clean */
export function startTree(paths: readonly ByteText[]): StartNode {
  const root: StartNode = { isStart: false, below: new Map() };
  for (const path of paths) {
    let node = root;
    for (const name of path.split('/').filter((part) => part !== '')) {
      const next = node.below.get(name) ?? { isStart: false, below: new Map() };
      node.below.set(name, next);
      node = next;
    }
    node.isStart = true;
  }
  return root;
}

/** The paths of the starts at and below a node. */
export function* startsBelow(node: StartNode, path: ByteText): Generator<ByteText> {
  if (node.isStart) yield path;
  for (const [name, below] of node.below) yield* startsBelow(below, `${path}/${name}`);
}
