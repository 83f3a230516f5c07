import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPrintable } from './go-printable.ts';

test('knows what Go prints: letters, marks, numbers, punctuation, symbols and the space', () => {
  const printable = [
    0x20, 0x7e, 0xa1, 0xac, 0xae, 0x301, 0x377, 0x2014, 0x6f22, 0xfffd, 0x1f600, 0x2ebe0, 0x323af,
  ];
  for (const codePoint of printable) assert.ok(isPrintable(codePoint), codePoint.toString(16));
});

test('knows what Go escapes: control, space of other kinds, format, private, unassigned', () => {
  const others = [
    0, 0x1f, 0x7f, 0x85, 0xa0, 0xad, 0x378, 0x200b, 0x2028, 0x3000, 0xd800, 0xe000, 0xfeff, 0xfffe,
  ];
  for (const codePoint of [...others, 0xe0001, 0x10ffff, 0x110000]) {
    assert.ok(!isPrintable(codePoint), codePoint.toString(16));
  }
});

test('stays with Unicode 15, whatever this Node knows', () => {
  // U+2FFC, U+31EF came with 15.1, U+1C89 with 16.
  for (const codePoint of [0x2ffc, 0x31ef, 0x1c89]) assert.ok(!isPrintable(codePoint));
  assert.ok(isPrintable(0x1fadf + 0) === false && isPrintable(0x1fae8), 'U+1FAE8 came with 15');
});

test('agrees with the Unicode categories of this Node on everything that Unicode 15 had', () => {
  const byCategory = /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u;
  let differing = 0;
  for (let codePoint = 0; codePoint < 0x110000; codePoint++) {
    const isOurs = isPrintable(codePoint);
    const isTheirs = codePoint === 0x20 || byCategory.test(String.fromCodePoint(codePoint));
    assert.ok(!isOurs || isTheirs, `U+${codePoint.toString(16)} is printable to us only`);
    if (isOurs !== isTheirs) differing++;
  }
  // Later versions of Unicode only added: 627 code points in 15.1, 5,185 in 16, some thousands in 17.
  assert.ok(differing < 12_000, `${differing} differ`);
});
