import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '#base';
import { keyOfPath } from './object-path.ts';
import { compareKeys, ObjectTree, type TreeStep } from './object-tree.ts';

function stepsOf(keys: readonly string[]): TreeStep[] {
  const tree = new ObjectTree();
  const steps = keys.flatMap((name) => [...tree.add({ name, sizeBytes: 0 })]);
  return [...steps, ...tree.end()];
}

const shown = (steps: readonly TreeStep[]) =>
  steps.map(({ kind, path }) => `${{ enter: '+', leave: '-', object: ' ' }[kind]}${path.join('/')}`);

test('a folder is entered once although other keys come between it and the object of its name', () => {
  assert.deepEqual(shown(stepsOf(['a', 'a b', 'a-b', 'a.txt', 'a/', 'a//b', 'a/b', 'a/c/d', 'a0'])), [
    ...[' a b', ' a-b', ' a.txt', '+a', '+a/%', ' a/%/b', '-a/%', ' a/b', '+a/c', ' a/c/d', '-a/c'],
    ...[' a/%%=', '-a', ' a0', ' a%='],
  ]);
});

test('whatever the keys, folders are entered once, what is in them lies between, and every key is there once', () => {
  const random = seededRandom(11);
  const alphabet = ['a', '-', '/', '.', '0', '\x01', '%', '😀', '\uffee', 'n'.repeat(120)];
  for (let round = 0; round < 500; round++) {
    const keys = new Set<string>();
    for (let i = 0; i < 40; i++)
      keys.add(
        Array.from({ length: random.below(7) }, () => alphabet[random.below(alphabet.length)]).join(''),
      );
    const sorted = [...keys].sort(compareKeys);
    const open: string[] = [];
    const met = new Set<string>();
    const found: string[] = [];
    for (const step of stepsOf(sorted)) {
      const path = step.path.join('/');
      const above = step.path.slice(0, -1).join('/');
      if (step.kind === 'leave') {
        assert.equal(open.pop(), path);
        continue;
      }
      assert.equal(open.at(-1) ?? '', above, `${path} lies in the open folder`);
      assert(!met.has(path), `${path} comes once`);
      met.add(path);
      if (step.kind === 'enter') open.push(path);
      else {
        assert.equal(keyOfPath(step.path), step.object.name);
        found.push(step.object.name);
      }
    }
    assert.deepEqual(open, []);
    assert.deepEqual(found.sort(compareKeys), sorted);
  }
});

test('refuses keys that come in another order, or twice', () => {
  assert.throws(() => stepsOf(['b', 'a']), { code: 'sources.order' });
  assert.throws(() => stepsOf(['a', 'a']), { code: 'sources.order' });
  assert.throws(() => stepsOf(['😀', '\uffee']), { code: 'sources.order' }, 'by bytes, not by UTF-16');
});
