import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryStorage } from '#storage';
import { initSmall, snapshotOf } from '../testing/small-repository.ts';
import { changeTags } from './change-tags.ts';

test('adds, removes and sets tags; the snapshot keeps its time and its first id', async () => {
  const repository = await initSmall(new MemoryStorage());
  const first = await snapshotOf(repository, { file: 'x' }, { tags: ['a', 'b'] });
  const [added] = await changeTags(repository, [first], { add: ['c', 'a'], remove: ['b'] });
  assert.deepEqual(added!.after.tags, ['a', 'c']);
  const [set] = await changeTags(repository, [added!.after], { set: ['only'] });
  assert.deepEqual(await repository.snapshots(), [set!.after]);
  const { id, tags, original, ...kept } = set!.after;
  assert.deepEqual({ tags, original }, { tags: ['only'], original: first.id });
  assert.notEqual(id, first.id);
  const { id: _id, tags: _tags, ...same } = first;
  assert.deepEqual(kept, same);
});

test('leaves alone what has these tags already, and what is gone', async () => {
  const repository = await initSmall(new MemoryStorage());
  const one = await snapshotOf(repository, { file: 'x' }, { tags: ['a'] });
  const gone = await snapshotOf(repository, { file: 'y' });
  await repository.unpacked.delete('snapshots', gone.id);
  assert.deepEqual(await changeTags(repository, [one, gone], { add: ['a'], remove: ['z'] }), []);
  assert.deepEqual(await repository.snapshots(), [one]);
});

test('after an interruption the old form goes and no third one is made', async () => {
  const storage = new MemoryStorage();
  const repository = await initSmall(storage);
  const before = await snapshotOf(repository, { file: 'x' });
  const bytes = storage.files.get(`snapshots/${before.id}`)!;
  const [{ after } = { after: undefined }] = await changeTags(repository, [before], { add: ['a'] });
  storage.files.set(`snapshots/${before.id}`, bytes);
  const again = await changeTags(repository, await repository.snapshots(), { add: ['a'] });
  assert.deepEqual(again, [{ before, after }]);
  assert.deepEqual(await repository.snapshots(), [after]);
});
