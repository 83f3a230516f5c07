import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { dumpStemOf, isBeyondMongorestore, isDatabaseName } from './dump-names.ts';

test('escapes a name as mongodump does', () => {
  // Seen with mongodump 100.18.0.
  assert.equal(dumpStemOf('empty coll/é+1%'), 'empty+coll%2F%C3%A9%2B1%25');
  assert.equal(dumpStemOf("a.b-c_d~E9!'()*$"), 'a.b-c_d~E9%21%27%28%29%2A%24');
  assert.equal(dumpStemOf('system.buckets.weather'), 'system.buckets.weather');
});

test('shortens what is longer than 238 bytes, even inside an escaped byte', () => {
  assert.equal(dumpStemOf('a'.repeat(238)), 'a'.repeat(238));
  const name = 'é'.repeat(40);
  const hash = createHash('sha1').update(name).digest('base64url');
  const stem = dumpStemOf(name);
  assert.equal(stem, `${'%C3%A9'.repeat(34)}%C3%%24${hash}`);
  assert.equal(stem.length, 238);
});

test('no name leaves its folder', () => {
  for (const name of ['..', '../x', '/etc/passwd', '.', 'a\\b', '__proto__'])
    assert.doesNotMatch(dumpStemOf(name), /[/\\]/);
});

test('says which names mongorestore takes for others', () => {
  assert.ok(isBeyondMongorestore(`a+b${'x'.repeat(240)}`));
  assert.ok(!isBeyondMongorestore('x'.repeat(240)));
  assert.ok(!isBeyondMongorestore('a+b'));
});

test('refuses databases that cannot be folders', () => {
  for (const name of ['', '..', 'a/b', 'a b', 'a.b', 'a"b', 'a\0b', 'a$b', 'a\\b', 'x'.repeat(64)])
    assert.ok(!isDatabaseName(name), name);
  for (const name of ['shop', '__proto__', 'Ünïcode', 'x'.repeat(63)]) assert.ok(isDatabaseName(name), name);
});
