import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..');

test('the guide lists every error code with its exit code, and no other', () => {
  const coded = new Map<string, number>();
  for (const file of globSync('src/*/errors.ts', { cwd: root })) {
    const text = readFileSync(join(root, file), 'utf8');
    for (const [, code, exit] of text.matchAll(/^ {2}'([a-z]+\.[a-z-]+)': \{ exitCode: (\d+)/gm))
      coded.set(code!, Number(exit));
  }
  const guide = readFileSync(join(root, 'docs/guide/errors.md'), 'utf8');
  const listed = new Map<string, number>();
  for (const [, code, exit] of guide.matchAll(/^\| `([a-z]+\.[a-z-]+)` *\| *(\d+) \| \S/gm))
    listed.set(code!, Number(exit));
  assert.ok(coded.size > 30);
  assert.deepEqual([...listed].sort(), [...coded].sort());
});
