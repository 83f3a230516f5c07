import assert from 'node:assert/strict';
import { test } from 'node:test';
import { patternTextOf, printableOf } from './name-text.ts';

test('shows UTF-8 as it is, and other bytes and controls as \\xNN', () => {
  assert.equal(printableOf(Buffer.from('日本 a')), '日本 a');
  assert.equal(printableOf(Buffer.from([0x61, 0xff, 0xc3, 0x28])), 'a\\xff\\xc3(');
  assert.equal(printableOf(Buffer.from('new\nline\x7f')), 'new\\x0aline\\x7f');
});

test('a byte that is not UTF-8 is one character of a pattern', () => {
  assert.equal([...patternTextOf(Buffer.from([0x61, 0xff, 0xfe]))].length, 3);
});
