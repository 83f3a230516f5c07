import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PathPatterns } from './path-patterns.ts';

/** Whether a path matches, and whether something below it may. */
function look(patterns: string[], path: string, ignoreCase = false): { isMatch: boolean; mayBelow: boolean } {
  const all = new PathPatterns(patterns, { ignoreCase });
  const names = path.split('/').filter((name) => name !== '');
  const place = names.reduce((folder, name) => all.next(folder, Buffer.from(name)), all.start);
  return { isMatch: place.isMatch, mayBelow: place.parts.length > 0 };
}

for (const [pattern, path, isMatch, mayBelow] of [
  ['*.sql', '/a/b.sql', true, true],
  ['*.sql', '/a/b.txt', false, true],
  ['folder', '/x/folder/in/it', true, true],
  ['a/b', '/x/a/b', true, true],
  ['a/b', '/x/a/c/b', false, true],
  ['/a/b', '/a', false, true],
  ['/a/b', '/x', false, false],
  ['/a/b', '/x/a/b', false, false],
  ['/a/**/b', '/a/b', true, true],
  ['/a/**/b', '/a/x/y/b', true, true],
  ['/a/**/b', '/b', false, false],
  ['a/**', '/x/a', true, true],
  ['**', '/x', true, true],
  ['a//b/', '/a/b', true, true],
] as const) {
  test(`${pattern} ${isMatch ? 'matches' : 'does not match'} ${path}`, () => {
    assert.deepEqual(look([pattern], path), { isMatch, mayBelow });
  });
}

test('any of several patterns matches, in spite of case if asked', () => {
  assert.equal(look(['x', '/A/*'], '/a/b').isMatch, false);
  assert.equal(look(['x', '/A/*'], '/a/b', true).isMatch, true);
});

test('a folder is at the same place wherever a pattern of one name is looked for', () => {
  const all = new PathPatterns(['*.sql'], { ignoreCase: false });
  assert.equal(all.next(all.start, Buffer.from('a')).key, all.start.key);
});

test('refuses a malformed pattern with a hint', () => {
  assert.throws(() => new PathPatterns(['a/[b'], { ignoreCase: false }), {
    code: 'repository.pattern',
    message: 'malformed pattern a/[b',
  });
});
