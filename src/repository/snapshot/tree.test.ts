import assert from 'node:assert/strict';
import { test } from 'node:test';
import { vector } from '../format/testing/memory-storage.ts';
import { decodeTree } from './tree-decode.ts';
import { encodeTree } from './tree-encode.ts';

for (const version of ['0.14', '0.19']) {
  test(`gives back every byte of a tree of restic ${version}`, () => {
    const json = vector(`trees/nasty-${version}.json`);
    const tree = decodeTree(json);
    assert.deepEqual(tree.unknown, []);
    assert.ok(tree.nodes.length > 50);
    const ours = Buffer.from(encodeTree(tree.nodes)).toString().split('},{');
    const text = Buffer.from(json).toString();
    // 0.14 keeps no bytes of a link that is not UTF-8, so that we see a U+FFFD in it and not why it was escaped.
    const theirs = version === '0.14' ? text.replaceAll(/(?<=[^\\])\\ufffd/g, '\ufffd') : text;
    assert.deepEqual(ours, theirs.split('},{'));
  });
}
