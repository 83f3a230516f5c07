import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '#base';
import { keyOfPath, pathBesideFolder, pathOfKey } from './object-path.ts';

const nasty = [
  ...['', 'a', 'a/b', '/', '//', '/a', 'a/', 'a//b', '///', '.', '..', './x', '../up', 'x/../y', '...'],
  ...['%', '%%', '%25', '%41', 'a%=', 'a%+', '%+/x', '%=', '%2E', 'a%', '100%/b'],
  ...['\0', 'new\nline', 'tab\t', '\x7f', '\x1f/\x01', 'back\\slash', ' ', ' /', 'a ', '\u0085', '\u2028'],
  ...[
    'ключ',
    '😀',
    '\uffee/\ue000',
    'é'.repeat(512),
    '😀'.repeat(256),
    'n'.repeat(1024),
    '\x01'.repeat(1024),
  ],
  ...[`${'n'.repeat(240)}.`, `${'n'.repeat(240)}..`, 'n'.repeat(240), 'n'.repeat(241), '/'.repeat(1024)],
];

function assertFits(path: readonly string[]): void {
  for (const name of path) {
    assert(name !== '' && name !== '.' && name !== '..', JSON.stringify(name));
    assert(Buffer.byteLength(name) <= 255, `${Buffer.byteLength(name)} bytes`);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    assert(!/[\x00-\x1f\x7f/]/.test(name), JSON.stringify(name));
  }
}

/** Keys of few different characters, so that they collide where anything can. */
function* randomKeys(count: number): Generator<string> {
  const random = seededRandom(7);
  const alphabet = ['a', '.', '/', '%', '2', 'E', '5', '+', '=', '\x01', '\n', 'é', '😀', ' '];
  for (let i = 0; i < count; i++) {
    const length = random.below(9);
    const start = random.below(20) === 0 ? 'n'.repeat(235 + random.below(10)) : '';
    yield start + Array.from({ length }, () => alphabet[random.below(alphabet.length)]).join('');
  }
}

test('every key becomes names that any tree can hold, and the same key again', () => {
  for (const key of [...nasty, ...randomKeys(20_000)]) {
    const path = pathOfKey(key);
    assertFits(path);
    assert.equal(keyOfPath(path), key);
    assertFits(pathBesideFolder(path));
    assert.equal(keyOfPath(pathBesideFolder(path)), key);
  }
});

test('two keys never share a path, nor does one beside a folder share that of another', () => {
  const keys = new Set([...nasty, ...randomKeys(20_000)]);
  const paths = new Map<string, string>();
  for (const key of keys) {
    const path = pathOfKey(key);
    for (const one of [path, pathBesideFolder(path)]) {
      const text = one.join('/');
      assert.equal(paths.get(text), undefined, `${JSON.stringify(key)} at ${text}`);
      paths.set(text, key);
    }
  }
});

test('a plain key is its own path', () => {
  for (const key of ['a', 'photos/2024/ä b.jpg', '.hidden', 'a..b', '~', 'x+y=z&?#'])
    assert.equal(pathOfKey(key).join('/'), key);
});

test('the names are those that are documented', () => {
  assert.deepEqual(pathOfKey('a//b'), ['a', '%', 'b']);
  assert.deepEqual(pathOfKey('/a/'), ['%', 'a', '%']);
  assert.deepEqual(pathOfKey('../100%\n'), ['%2E%2E', '100%25%0A']);
  assert.deepEqual(pathBesideFolder(pathOfKey('a/b')), ['a', 'b%=']);
  assert.deepEqual(pathOfKey(`${'n'.repeat(250)}/x`), [`${'n'.repeat(240)}%+`, 'n'.repeat(10), 'x']);
});

test('refuses a name that no key has', () => {
  assert.throws(() => keyOfPath(['100%']), { code: 'sources.name' });
  assert.throws(() => keyOfPath(['%2x', 'a']), { code: 'sources.name' });
});
