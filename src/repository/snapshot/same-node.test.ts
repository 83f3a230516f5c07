import assert from 'node:assert/strict';
import { test } from 'node:test';
import { vector } from '../format/testing/memory-storage.ts';
import { isSameNode } from './same-node.ts';
import type { TreeNode } from './tree.ts';
import { decodeTree } from './tree-decode.ts';
import { encodeTree } from './tree-encode.ts';

const { nodes } = decodeTree(vector('trees/nasty-0.19.json'));
const plain = nodes.filter(({ error, genericAttributes }) => !error && !genericAttributes);

function isEncodedAlike(a: TreeNode, b: TreeNode): boolean {
  return Buffer.compare(encodeTree([a]), encodeTree([b])) === 0;
}

/** Another value of the same kind. */
function changed(value: unknown): unknown {
  if (typeof value === 'bigint') return value + 1n;
  if (typeof value === 'number') return value + 1;
  if (typeof value === 'string') return `${value.slice(0, -1)}0`;
  if (value instanceof Uint8Array) return Uint8Array.from([...value.subarray(0, -1), 1]);
  if (Array.isArray(value)) return value.slice(0, -1);
  return undefined;
}

test('a node is the same as its like', () => {
  assert.ok(plain.length > 50);
  for (const node of plain)
    assert.ok(isSameNode(node, structuredClone(node)), Buffer.from(node.name).toString());
});

test('no two nodes are the same that a tree would say in other words, whichever field differs', () => {
  const seen = new Set<string>();
  for (const node of plain)
    for (const [field, value] of Object.entries(node)) {
      // Both come under one name, and of one type.
      if (field === 'name' || field === 'type') continue;
      const other = { ...node, [field]: changed(value) };
      if (!isSound(other) || isEncodedAlike(node, other)) continue;
      seen.add(field);
      assert.ok(!isSameNode(node, other), `${field} of ${Buffer.from(node.name)}`);
    }
  const wanted =
    'mode mtimeNs atimeNs ctimeNs uid gid user group inode deviceId links sizeBytes content subtree';
  for (const field of [...wanted.split(' '), 'linkTarget', 'device', 'extendedAttributes'])
    assert.ok(seen.has(field), `no ${field} was changed`);
});

test('what we would not write again is never the same', () => {
  const node = plain[0]!;
  assert.ok(!isSameNode({ ...node, error: 'unreadable' }, node));
  assert.ok(!isSameNode({ ...node, genericAttributes: '{}' }, { ...node, genericAttributes: '{}' }));
});

function isSound(node: TreeNode): boolean {
  return (
    (node.content !== null) === (node.type === 'file') &&
    (node.subtree !== undefined) === (node.type === 'dir')
  );
}
