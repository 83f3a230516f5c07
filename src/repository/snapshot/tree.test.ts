import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RepositoryError } from '../errors.ts';
import type { BlobId } from '../format/ids.ts';
import { vector } from '../format/testing/memory-storage.ts';
import { isSafeName, nodeOf, type TreeNode } from './tree.ts';
import { decodeTree } from './tree-decode.ts';
import { encodeTree } from './tree-encode.ts';

const id = 'ab'.repeat(32) as BlobId;

function fileNode(name: string | Uint8Array, changes: Partial<TreeNode> = {}): TreeNode {
  return {
    name: Buffer.from(name),
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    user: '',
    group: '',
    mtimeNs: 0n,
    atimeNs: 0n,
    ctimeNs: 0n,
    inode: 0n,
    deviceId: 0n,
    links: 0,
    sizeBytes: 0,
    content: [],
    ...changes,
  };
}

const textOf = (nodes: TreeNode[]) => Buffer.from(encodeTree(nodes)).toString();

for (const name of ['trees/nasty-0.14.json']) {
  test(`gives back every byte of ${name}`, () => {
    const json = vector(name);
    const tree = decodeTree(json);
    assert.deepEqual(tree.unknown, []);
    assert.deepEqual(textOf(tree.nodes).split('},{'), Buffer.from(json).toString().split('},{'));
  });
}
