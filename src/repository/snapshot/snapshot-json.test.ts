import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SnapshotId } from '../format/ids.ts';
import { vector } from '../format/testing/memory-storage.ts';
import { withTags } from './snapshot.ts';
import { decodeSnapshot, encodeSnapshot } from './snapshot-json.ts';

const tree = 'ab'.repeat(32);
const smallest = { time: '2026-01-02T03:04:05Z', tree, paths: ['/a'] };
const bytesOf = (value: unknown) => Buffer.from(JSON.stringify(value));

for (const version of ['0.14', '0.19']) {
  test(`gives back every byte of a snapshot of restic ${version}`, () => {
    const json = vector(`snapshots/restic-${version}.json`);
    const snapshot = decodeSnapshot(json);
    assert.deepEqual(snapshot.tags, ['name=nasty', 'second<&>tag']);
    assert.equal(snapshot.summary?.filesNew, version === '0.14' ? undefined : 64);
    assert.equal(encodeSnapshot(snapshot), Buffer.from(json).toString().trimEnd());
  });
}

test('writes every member in restic’s order', () => {
  const all = {
    time: '2026-01-02T03:04:05.000000001+01:00',
    parent: 'cd'.repeat(32),
    tree,
    paths: ['/a', '/b'],
    hostname: 'h',
    username: 'u',
    uid: 1000,
    gid: 100,
    excludes: ['*.tmp'],
    tags: ['t'],
    original: 'ef'.repeat(32),
    program_version: 'restic 0.18.0',
  };
  assert.equal(encodeSnapshot(decodeSnapshot(bytesOf(all))), JSON.stringify(all));
});

test('keeps members that it does not know, of the snapshot and of its summary', () => {
  const known = JSON.parse(Buffer.from(vector('snapshots/restic-0.19.json')).toString());
  const json = {
    ...known,
    summary: { ...known.summary, command: 'rustic backup', duration: 1.5 },
    label: '',
    delete: { after: [1, null] },
  };
  const written = JSON.parse(encodeSnapshot(decodeSnapshot(bytesOf(json))));
  assert.deepEqual(written, json);
});

test('keeps a summary that is not as restic writes it, without believing it', () => {
  for (const summary of [7, null, {}, { backup_start: 'x' }, { files_new: -1 }]) {
    const snapshot = decodeSnapshot(bytesOf({ ...smallest, summary }));
    assert.equal(snapshot.summary, undefined);
    assert.deepEqual(JSON.parse(encodeSnapshot(snapshot)).summary, summary);
  }
});

test('reads what is absent or null as empty', () => {
  const lists = { parent: null, excludes: null, tags: null, original: null, program_version: null };
  for (const json of [smallest, { ...smallest, ...lists }]) {
    const { hostname, username, uid, gid, excludes, tags, parent, original } = decodeSnapshot(bytesOf(json));
    assert.deepEqual({ hostname, username, uid, gid }, { hostname: '', username: '', uid: 0, gid: 0 });
    assert.deepEqual(
      { excludes, tags, parent, original },
      { excludes: [], tags: [], parent: undefined, original: undefined },
    );
  }
  assert.equal(encodeSnapshot(decodeSnapshot(bytesOf(smallest))), JSON.stringify(smallest));
});

test('refuses what is no snapshot', () => {
  const bad: unknown[] = [
    null,
    [],
    {},
    { ...smallest, time: undefined },
    { ...smallest, time: 'x' },
    { ...smallest, tree: 'x' },
    { ...smallest, tree: undefined },
    { ...smallest, paths: '/a' },
    { ...smallest, paths: [7] },
    { ...smallest, hostname: 7 },
    { ...smallest, uid: -1 },
    { ...smallest, tags: {} },
    { ...smallest, parent: 'latest' },
  ];
  for (const value of bad) {
    assert.throws(
      () => decodeSnapshot(bytesOf(value)),
      { code: 'repository.damaged' },
      JSON.stringify(value),
    );
  }
  assert.throws(() => decodeSnapshot(Buffer.from('{')), { code: 'repository.damaged' });
});

test('other tags make a new file that remembers its first id for ever', () => {
  const id = '12'.repeat(32) as SnapshotId;
  const snapshot = { ...decodeSnapshot(bytesOf({ ...smallest, unknown: 1 })), id };
  const once = withTags(snapshot, ['b', 'b', 'a']);
  assert.deepEqual(once.tags, ['b', 'a']);
  assert.equal(once.original, id);
  const twice = withTags({ ...once, id: '34'.repeat(32) as SnapshotId }, []);
  assert.equal(twice.original, id);
  const written = JSON.parse(encodeSnapshot(twice));
  assert.deepEqual([written.unknown, written.tags, written.id], [1, undefined, undefined]);
});
