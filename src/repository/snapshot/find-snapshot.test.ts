import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BlobId, SnapshotId } from '../format/ids.ts';
import { findParent, findSnapshot, matchesFilter } from './find-snapshot.ts';
import type { StoredSnapshot } from './snapshot.ts';

function snapshot(id: string, timeNs: bigint, changes: Partial<StoredSnapshot> = {}): StoredSnapshot {
  return {
    id: id.padEnd(64, '0') as SnapshotId,
    timeNs,
    utcOffsetMinutes: 0,
    tree: 'ab'.repeat(32) as BlobId,
    paths: ['/a'],
    hostname: 'h',
    username: 'u',
    uid: 0,
    gid: 0,
    excludes: [],
    tags: [],
    ...changes,
  };
}

const one = snapshot('aa11', 10n, { tags: ['name=shop', 'x'] });
const two = snapshot('aa22', 30n, { hostname: 'other', paths: ['/a', '/b'] });
const three = snapshot('bb33', 20n, {
  tags: ['name=shop', 'x', 'y'],
  original: 'cc44'.padEnd(64, '0') as SnapshotId,
});
const all = [one, two, three];
const isNotFound = { code: 'repository.snapshot-not-found' };

test('finds by the beginning of an id, in either case', () => {
  assert.equal(findSnapshot(all, 'aa1'), one);
  assert.equal(findSnapshot(all, 'BB'), three);
  assert.equal(findSnapshot(all, two.id), two);
});

test('finds by an id from before a change of tags, unless a snapshot has that id now', () => {
  assert.equal(findSnapshot(all, 'cc4'), three);
  const now = snapshot('cc45', 40n);
  assert.equal(findSnapshot([...all, now], 'cc4'), now);
});

test('refuses what fits several or none', () => {
  assert.throws(() => findSnapshot(all, 'aa'), {
    code: 'repository.snapshot-ambiguous',
    exitCode: 2,
    hint: /aa11000000000000, aa22000000000000/,
  });
  for (const text of ['dd', 'x', '', 'aa1z', `${one.id}0`])
    assert.throws(() => findSnapshot(all, text), isNotFound, text);
});

test('takes the latest by time, narrowed by the filter', () => {
  assert.equal(findSnapshot(all, 'latest'), two);
  assert.equal(findSnapshot(all, 'latest', { names: ['shop'] }), three);
  assert.equal(findSnapshot(all, 'latest', { untilNs: 19n }), one);
  assert.throws(() => findSnapshot(all, 'latest', { hostnames: ['nowhere'] }), {
    ...isNotFound,
    message: /filter/,
  });
  assert.throws(() => findSnapshot([], 'latest'), { ...isNotFound, message: /no snapshot/ });
});

test('a filter takes any host, any list of tags with all in it, any name, all paths', () => {
  const found = (filter: Parameters<typeof matchesFilter>[1]) =>
    all.filter((each) => matchesFilter(each, filter));
  assert.deepEqual(found({}), all);
  assert.deepEqual(found({ hostnames: [], tags: [], names: [], paths: [] }), all);
  assert.deepEqual(found({ hostnames: ['h', 'z'] }), [one, three]);
  assert.deepEqual(found({ tags: [['x', 'y']] }), [three]);
  assert.deepEqual(found({ tags: [['y'], ['']] }), [two, three], 'an empty tag means no tags');
  assert.deepEqual(found({ names: ['shop'] }), [one, three]);
  assert.deepEqual(found({ names: ['sho'] }), []);
  assert.deepEqual(found({ paths: ['/b', '/a'] }), [two]);
});

test('the parent is the newest of the same host and set of paths, and not of the future', () => {
  const of = { hostname: 'h', paths: ['/a'], timeNs: 100n };
  assert.equal(findParent(all, of), three);
  assert.equal(findParent(all, { ...of, timeNs: 20n }), three);
  assert.equal(findParent(all, { ...of, timeNs: 19n }), one);
  assert.equal(findParent(all, { ...of, timeNs: 9n }), undefined);
  assert.equal(findParent(all, { ...of, paths: ['/b', '/a', '/b'], hostname: 'other' }), two);
  assert.equal(findParent(all, { ...of, paths: ['/b'] }), undefined);
  assert.equal(findParent(all, { ...of, hostname: 'other' }), undefined);
});
