import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { toExtendedJson } from './extended-json.ts';
import { fromExtendedJson } from './from-extended-json.ts';

const vectors = join(import.meta.dirname, '../../../test/vectors/mongodb/extended-json.txt');

function pairs(): { hex: string; text: string }[] {
  const lines = readFileSync(vectors, 'utf8').split('\n');
  return lines
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => ({ hex: line.slice(0, line.indexOf(' ')), text: line.slice(line.indexOf(' ') + 1) }));
}

test('writes every type as the Go driver of mongodump does', () => {
  assert.equal(pairs().length, 50);
  for (const { hex, text } of pairs()) assert.equal(toExtendedJson(Buffer.from(hex, 'hex')), text);
});

test('reads them back to the same bytes, names like numbers in their order', () => {
  // Of a name that comes twice the last one stays: metadata has none.
  const once = pairs().filter(({ text }) => !text.startsWith('{"a":{"$numberInt":"1"},"a"'));
  assert.equal(once.length, 49);
  for (const { hex, text } of once)
    assert.equal(Buffer.from(fromExtendedJson(text)).toString('hex'), hex, text);
  const ordered =
    '{"key":{"10":{"$numberInt":"1"},"2":{"$numberInt":"-1"},"__proto__":"a\\": b"},"a\\"b":[{"1":null}]}';
  assert.equal(toExtendedJson(fromExtendedJson(ordered)), ordered);
  assert.throws(() => fromExtendedJson('{"a":'), { code: 'sources.damaged' });
});
