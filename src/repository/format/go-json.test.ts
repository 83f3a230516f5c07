import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goJson, goName, goQuoted, goString, goStringOfBytes, goUnquoted } from './go-json.ts';

// What Go's encoding/json makes of each text.
const jsonStrings: [text: string, json: string][] = [
  ['', '""'],
  ['plain', '"plain"'],
  ['"\\/', '"\\"\\\\/"'],
  ['\b\f\n\r\t', '"\\b\\f\\n\\r\\t"'],
  ['\x00\x01\x0b\x1f', '"\\u0000\\u0001\\u000b\\u001f"'],
  ['\x7f', '"\x7f"'],
  ['<b>&', '"\\u003cb\\u003e\\u0026"'],
  ['\u2028\u2029', '"\\u2028\\u2029"'],
  ['café 漢 \u{1f600}', '"café 漢 \u{1f600}"'],
  ['\u0080\u00a0\u00ff', '"\u0080\u00a0\u00ff"'],
  ['lone \ud800 surrogate', '"lone \ufffd surrogate"'],
];

test('writes JSON strings as Go does', () => {
  for (const [text, json] of jsonStrings) assert.equal(goString(text), json);
});

test('writes JSON values as Go does', () => {
  assert.equal(goJson({ b: '<', a: [1, null], c: undefined }), '{"b":"\\u003c","a":[1,null]}');
});

test('writes an escape for each byte of JSON text that is not UTF-8', () => {
  assert.equal(goStringOfBytes(Buffer.from('é<')), '"é\\u003c"');
  assert.equal(goStringOfBytes(Buffer.from([0x61, 0xff, 0xfe, 0x62])), '"a\\ufffd\\ufffdb"');
  assert.equal(goStringOfBytes(Buffer.from([0xe2, 0x82])), '"\\ufffd\\ufffd"');
  assert.equal(goStringOfBytes(Buffer.from('\ufffd')), '"\ufffd"', 'one that was there stays');
});

// What Go's strconv.Quote makes of each name, without the quotes (its documentation and tests, go1.19).
const quoted: [name: string | number[], text: string][] = [
  ['\x07\b\f\r\n\t\v', '\\a\\b\\f\\r\\n\\t\\v'],
  ['\\', '\\\\'],
  [[0x61, 0x62, 0x63, 0xff, 0x64, 0x65, 0x66], 'abc\\xffdef'],
  ['\u263a', '\u263a'],
  ['\u{10ffff}', '\\U0010ffff'],
  ['\x04', '\\x04'],
  ['!\u00a0!\u2000!\u3000!', '!\\u00a0!\\u2000!\\u3000!'],
  ['\x7f', '\\x7f'],
  ['"', '\\"'],
  ["'", "'"],
  ['\ufffd', '\ufffd'],
  ['\ufeff\u00ad\u200b', '\\ufeff\\u00ad\\u200b'],
  ['\ue000', '\\ue000'],
  ['\u0085', '\\u0085'],
  [[0xed, 0xa0, 0x80], '\\xed\\xa0\\x80'],
  [[0xc0, 0xaf], '\\xc0\\xaf'],
  [[0xf4, 0x90, 0x80, 0x80], '\\xf4\\x90\\x80\\x80'],
  [[0xe0, 0x80, 0x80], '\\xe0\\x80\\x80'],
  [[0xf0, 0x9f, 0x98], '\\xf0\\x9f\\x98'],
  [[0x80], '\\x80'],
  ['\u{e0001}', '\\U000e0001'],
  ['\u{1f600}', '\u{1f600}'],
];

test('quotes names as strconv.Quote does, and takes the quotes away again', () => {
  for (const [name, text] of quoted) {
    const bytes = Buffer.from(name as string);
    assert.equal(goQuoted(bytes), text);
    assert.deepEqual(Buffer.from(goUnquoted(text)), bytes, text);
  }
});

test('every byte and every pair of bytes survives quoting', () => {
  for (let pair = 0; pair < 0x10000; pair += 7) {
    const bytes = Buffer.of(pair >> 8, pair & 0xff);
    assert.deepEqual(Buffer.from(goUnquoted(goQuoted(bytes))), bytes);
    assert.deepEqual(Buffer.from(goUnquoted(JSON.parse(goName(bytes)))), bytes);
  }
});

test('reads every escape that Go knows', () => {
  const all = String.raw`\a\b\f\n\r\t\v\\\'\"\x41\101\u00e9\U0001f600`;
  assert.equal(Buffer.from(goUnquoted(all)).toString(), '\x07\b\f\n\r\t\v\\\'"AA\u00e9\u{1f600}');
});

test('refuses escapes that Go does not know', () => {
  const bad = [
    '\\',
    'a\\',
    '\\q',
    '\\x4',
    '\\xzz',
    '\\u12',
    '\\U0001f60',
    '\\U00110000',
    '\\18',
    '\\400',
    '\\ud800',
  ];
  for (const text of bad) assert.throws(() => goUnquoted(text), RangeError, text);
});

test('a name in a tree is quoted twice', () => {
  assert.equal(goName(Buffer.from('a"b')), '"a\\\\\\"b"');
  assert.equal(goName(Buffer.from('<é')), '"\\u003cé"');
  assert.equal(goName(Buffer.from('plain name.txt')), '"plain name.txt"');
  assert.equal(goName(new Uint8Array(Buffer.from([0xff]))), '"\\\\xff"');
});
