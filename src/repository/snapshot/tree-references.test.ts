import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '#base';
import { vector } from '../format/testing/memory-storage.ts';
import { hexOfWords } from '../index/blob-table.ts';
import { scanTreeReferences } from './tree-reference-scan.ts';
import { visitTreeReferences } from './tree-references.ts';

const [a, b, c] = ['a1', 'b2', 'c3'].map((pair) => pair.repeat(32)) as [string, string, string];

function found(json: Uint8Array | string): string[] {
  const references: string[] = [];
  visitTreeReferences(Buffer.from(json), (type, id) => references.push(`${type} ${hexOfWords(id)}`));
  return references;
}

/** By the rules of JSON alone. */
function wanted(json: Uint8Array | string): string[] {
  const { nodes } = JSON.parse(Buffer.from(json).toString()) as {
    nodes: { content?: string[] | null; subtree?: string | null }[];
  };
  return nodes.flatMap(({ content, subtree }) => [
    ...(content ?? []).map((id) => `data ${id}`),
    ...(subtree ? [`tree ${subtree}`] : []),
  ]);
}

function isScanned(json: Uint8Array | string): boolean {
  const visitor = { id: new Uint8Array(32), content: () => {}, subtree: () => {} };
  return scanTreeReferences(Buffer.from(json), visitor);
}

for (const version of ['0.14', '0.19']) {
  test(`finds what a tree of restic ${version} needs, by the scanner`, () => {
    const json = vector(`trees/nasty-${version}.json`);
    assert.ok(isScanned(json));
    assert.ok(wanted(json).length > 0);
    assert.deepEqual(found(json), wanted(json));
  });
}

const odd: Record<string, string> = {
  'no nodes': '{"nodes":[]}\n',
  'a node of nothing': '{"nodes":[{}]}',
  nulls: '{"nodes":[{"content":null,"subtree":null}]}',
  'names that look like members': `{"nodes":[{"name":"\\"content\\":[\\"${a}\\"]","x":"\\\\","content":["${b}"]},{"name":"}],","subtree":"${c}"}]}`,
  'members of members': `{"nodes":[{"attributes":{"content":["${a}"],"list":[[{"subtree":"${a}"}]]},"content":["${b}","${c}"]}]}`,
  'unknown types': `{"nodes":[{"type":"new","content":["${a}"],"subtree":"${b}","size":-1.5e3,"is":true}]}`,
};
for (const [name, json] of Object.entries(odd)) {
  test(`scans ${name}`, () => {
    assert.ok(isScanned(json));
    assert.deepEqual(found(json), wanted(json));
  });
}

const foreign: Record<string, string> = {
  'spaces between': `{ "nodes": [ {"content": ["${a}"], "subtree": "${b}"} ] }`,
  'members beside the nodes': `{"version":3,"nodes":[{"content":["${a}"]}],"more":[]}`,
  'escaped names of members': `{"nodes":[{"\\u0063ontent":["${a}"],"subtre\\u0065":"${b}"}]}`,
};
for (const [name, json] of Object.entries(foreign)) {
  test(`leaves to the parser: ${name}`, () => {
    assert.ok(!isScanned(json));
    assert.ok(wanted(json).length > 0);
    assert.deepEqual([...new Set(found(json))], wanted(json));
  });
}

test('refuses what is no tree', () => {
  const bad = [
    '',
    '[]',
    '{}',
    '{"nodes":{}}',
    '{"nodes":[1]}',
    '{"nodes":[{"content":"x"}]}',
    `{"nodes":[{"content":["${a.toUpperCase()}"]}]}`,
    `{"nodes":[{"subtree":"${a.slice(1)}"}]}`,
    `{"nodes":[{"content":["${a}"]}]`,
    `{"nodes":[{"content":["${a}"],}]} x`,
  ];
  for (const json of bad) assert.throws(() => found(json), { code: 'repository.damaged' }, json);
});

test('whatever is flipped or cut: a sound tree keeps its references, others may be refused', () => {
  const random = seededRandom(91);
  const json = vector('trees/nasty-0.19.json').subarray(0);
  let sound = 0;
  for (let round = 0; round < 3000; round++) {
    const changed = Uint8Array.from(json);
    changed[random.below(changed.length)] = 0x20 + random.below(95);
    let expected: string[];
    try {
      expected = wanted(changed);
    } catch {
      continue;
    }
    if (expected.some((reference) => !/^(data|tree) [0-9a-f]{64}$/.test(reference))) continue;
    sound++;
    const references = new Set(found(changed));
    for (const reference of expected) assert.ok(references.has(reference), `round ${round}`);
  }
  assert.ok(sound > 500, `${sound} were sound`);
});
