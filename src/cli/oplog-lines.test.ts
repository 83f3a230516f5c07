import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BlobId, SnapshotId, StoredSnapshot } from '#repository';
import { oplogLines } from './oplog-lines.ts';

let made = 0;

function snapshot(path: string, tag: string): StoredSnapshot {
  return {
    id: String(++made).padStart(2, '0').padEnd(64, '0') as SnapshotId,
    timeNs: 0n,
    utcOffsetMinutes: 0,
    tree: 'ab'.repeat(32) as BlobId,
    paths: [path],
    hostname: 'h',
    username: 'u',
    uid: 0,
    gid: 0,
    excludes: [],
    tags: ['name=shop', tag],
  };
}

const full = (at: string): StoredSnapshot => snapshot('/mongodb-db', `oplog=${at}`);
const slice = (from: string, to: string): StoredSnapshot =>
  snapshot('/mongodb-db/dump/oplog.bson', `oplog=${from}..${to}`);

test('tells to which times each full backup can be brought, and every gap', () => {
  const first = full('1700000000:5/1');
  const list = [
    first,
    slice('1700000000:5/1', '1700000060:1/1'),
    slice('1700000060:1/1', '1700000120:1/1'),
    full('1700000090:3/1'),
    // Another history, and one that nothing leads to.
    full('1700000300:1/2'),
    slice('1700000300:1/2', '1700000360:1/2'),
    slice('1700000400:1/2', '1700000460:1/2'),
    snapshot('/home', 'x'),
  ];
  const id = (i: number): string => list[i]!.id.slice(0, 8);
  assert.deepEqual(oplogLines(list), [
    '',
    'Oplog of mongodb-db: 4 slices; restore with --until TIME',
    `  ${id(0)}  any time from 2023-11-14T22:13:20Z (1700000000:5) to 2023-11-14T22:15:20Z (1700000120:1)`,
    `  ${id(3)}  any time from 2023-11-14T22:14:50Z (1700000090:3) to 2023-11-14T22:15:20Z (1700000120:1)`,
    `  ${id(4)}  any time from 2023-11-14T22:18:20Z (1700000300:1) to 2023-11-14T22:19:20Z (1700000360:1)`,
    '  gap       nothing from 2023-11-14T22:15:20Z (1700000120:1) to 2023-11-14T22:18:20Z (1700000300:1)',
    '  gap       nothing from 2023-11-14T22:19:20Z (1700000360:1) to 2023-11-14T22:20:00Z (1700000400:1)',
    '  no use    1 slice, 2023-11-14T22:20:00Z (1700000400:1) to 2023-11-14T22:21:00Z (1700000460:1): no full backup leads to them',
  ]);
  assert.deepEqual(oplogLines([snapshot('/home', 'x')]), []);
});
