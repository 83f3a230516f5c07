import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ExtraPlaces } from './extra-places.ts';

const place = (pack: number, offset = 0) => ({ pack, offset, length: 50, uncompressedLength: 0xffff_ffff });

test('gives the places of a blob in the order in which they came', () => {
  const extra = new ExtraPlaces();
  for (const pack of [7, 3, 9]) {
    extra.add(5, place(pack));
    extra.add(6, place(pack, 100));
  }
  assert.deepEqual(extra.of(5), [place(7), place(3), place(9)]);
  assert.deepEqual(extra.of(6), [place(7, 100), place(3, 100), place(9, 100)]);
  assert.deepEqual(extra.of(8), []);
  assert.deepEqual([...extra.slots()], [5, 6]);
});

test('knows a place once', () => {
  const extra = new ExtraPlaces();
  for (const pack of [1, 2, 1, 2]) extra.add(5, place(pack));
  assert.deepEqual(extra.of(5), [place(1), place(2)]);
  assert.equal(extra.count, 2);
});

test('holds very many', () => {
  const extra = new ExtraPlaces();
  for (let slot = 0; slot < 10_000; slot++) extra.add(slot, place(slot + 1));
  assert.equal(extra.count, 10_000);
  for (let slot = 0; slot < 10_000; slot++) assert.deepEqual(extra.of(slot), [place(slot + 1)]);
});
