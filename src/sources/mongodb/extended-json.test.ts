import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { toExtendedJson } from './extended-json.ts';

const vectors = join(import.meta.dirname, '../../../test/vectors/mongodb/extended-json.txt');

test('writes every type as the Go driver of mongodump does', () => {
  const lines = readFileSync(vectors, 'utf8').split('\n');
  const pairs = lines.filter((line) => line !== '' && !line.startsWith('#'));
  assert.equal(pairs.length, 50);
  for (const pair of pairs) {
    const space = pair.indexOf(' ');
    assert.equal(toExtendedJson(Buffer.from(pair.slice(0, space), 'hex')), pair.slice(space + 1));
  }
});
