import assert from 'node:assert/strict';
import { test } from 'node:test';
import { idOf, isId, type PackId, parseId, type SnapshotId } from './ids.ts';
import { idOfName, nameOf } from './names.ts';

const id = 'ab'.repeat(32);

test('an id is 64 hex digits in lower case', () => {
  assert.ok(isId(id));
  for (const text of [
    id.slice(1),
    `${id}0`,
    id.toUpperCase(),
    `${id.slice(1)}g`,
    `${id}\n`,
    '',
    undefined,
    7,
    null,
  ]) {
    assert.ok(!isId(text), String(text));
    assert.throws(() => parseId(text, 'a test'), {
      code: 'repository.damaged',
      message: /^a test holds no id/,
    });
  }
  assert.equal(parseId(id, 'a test'), id);
});

test('the id of bytes is their SHA-256', () => {
  assert.equal(idOf(Buffer.from('abc')), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});

test('packs lie in 256 folders, other files in the folder of their kind', () => {
  assert.equal(nameOf('data', id as PackId), `data/ab/${id}`);
  assert.equal(nameOf('snapshots', id as SnapshotId), `snapshots/${id}`);
  assert.equal(idOfName('data', `data/ab/${id}`), id);
  assert.equal(idOfName('snapshots', `snapshots/${id}`), id);
});

test('what does not belong there has no id', () => {
  const others = [
    `data/${id}`,
    `data/cd/${id}`,
    `data/ab/x/${id}`,
    `data/ab/${id}-tmp-1`,
    `data/ab/${id.toUpperCase()}`,
  ];
  for (const name of [...others, `index/${id}`, id, 'data/'])
    assert.equal(idOfName('data', name), undefined, name);
  assert.equal(idOfName('index', `index/sub/${id}`), undefined);
});
