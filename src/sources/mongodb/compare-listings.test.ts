import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareListings } from './compare-listings.ts';
import type { ListedCollection } from './list-namespaces.ts';

function listed(name: string, more: Partial<ListedCollection> = {}): ListedCollection {
  const info = Buffer.alloc(0);
  return {
    database: 'shop',
    name,
    type: 'collection',
    uuid: undefined,
    info,
    options: undefined,
    indexes: [],
    ...more,
  };
}

test('names what was dropped, renamed, made anew, changed or added', () => {
  const before = [
    listed('dropped', { uuid: '01' }),
    listed('renamed', { uuid: '02' }),
    listed('anew', { uuid: '03' }),
    listed('indexed'),
    listed('same'),
    listed('optioned'),
  ];
  const after = [
    listed('other', { uuid: '02' }),
    listed('anew', { uuid: '04' }),
    listed('indexed', { indexes: [Buffer.from('i')] }),
    listed('same'),
    listed('optioned', { options: Buffer.from('o') }),
    listed('new'),
  ];
  const changes = (isAtTime: boolean) =>
    compareListings(before, after, { isAtTime }).map(({ namespace, message }) => `${namespace}: ${message}`);
  assert.deepEqual(changes(false), [
    'shop.dropped: it was dropped or renamed while the dump ran; what the dump has of it may not be whole',
    'shop.renamed: it was renamed to shop.other while the dump ran',
    'shop.anew: it was dropped and made anew while the dump ran; the dump may have a mixture',
    'shop.indexed: its indexes changed while the dump ran; the dump has the old ones',
    'shop.optioned: its options changed while the dump ran; the dump has the old ones',
    'shop.other: it appeared while the dump ran and is not in it',
    'shop.new: it appeared while the dump ran and is not in it',
  ]);
  assert.equal(changes(true).length, 5);
});
