import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '#base';
import type { PackId } from '../format/ids.ts';
import { PackList } from './pack-list.ts';

test('finds the number of each of many packs, and gives none a second one', () => {
  const random = seededRandom(5);
  const packs = new PackList();
  const ids = Array.from({ length: 5000 }, () => Buffer.from(random.fill(new Uint8Array(32))));
  // Ids that begin alike must be told apart by the rest.
  ids[1]!.copy(ids[2]!, 0, 0, 31);
  assert.deepEqual(
    ids.map((id) => packs.add(id.toString('hex') as PackId)),
    ids.map((_, i) => i),
  );
  assert.equal(packs.add(ids[77]!.toString('hex') as PackId), 77);
  assert.equal(packs.count, 5000);
  for (const [i, id] of ids.entries()) {
    assert.equal(packs.numberOf(id), i);
    assert.equal(packs.idOf(i), id.toString('hex'));
  }
  assert.equal(packs.numberOf(random.fill(new Uint8Array(32))), -1);
});
