import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type DumpChoice,
  isDumpedCollection,
  isDumpedDatabase,
  namespaceFilter,
  namespaceRenamer,
} from './namespaces.ts';

test('leaves out what mongodump leaves out', () => {
  const isDumped = (namespace: string, choice: DumpChoice = {}): boolean => {
    const [database, ...rest] = namespace.split('.') as [string, ...string[]];
    return isDumpedDatabase(database, choice) && isDumpedCollection(database, rest.join('.'), choice);
  };
  for (const namespace of ['shop.orders', 'shop.system.js', 'admin.things', 'config.shards', 'shop.a.b'])
    assert.ok(isDumped(namespace), namespace);
  const others = ['local.oplog.rs', 'config.system.sessions', 'config.transactions', 'shop.system.views'];
  for (const namespace of [
    ...others,
    'shop.system.buckets.w',
    'admin.system.keys',
    'admin.system.users',
    'a.b$c',
  ])
    assert.ok(!isDumped(namespace), namespace);
  assert.ok(isDumped('admin.system.users', { withUsers: true }));
  assert.ok(isDumped('config.transactions', { database: 'config' }));
  assert.ok(isDumped('local.startup_log', { database: 'local' }));
  assert.ok(!isDumped('shop.orders', { database: 'zoo' }));
  assert.ok(!isDumped('shop.orders', { database: 'shop', collection: 'items' }));
});

test('patterns are mongorestore’s', () => {
  const isWanted = namespaceFilter({ includes: ['shop.*', 'zoo.a\\*b'], excludes: ['*.tmp*'] });
  assert.ok(isWanted('shop.a.b'));
  assert.ok(isWanted('zoo.a*b'));
  assert.ok(!isWanted('zoo.axb'));
  assert.ok(!isWanted('shop.tmp1'));
  assert.ok(!isWanted('ashop.x'));
  assert.throws(() => namespaceFilter({ includes: [''] }), { code: 'sources.pattern' });
});

test('renames by stars and by names', () => {
  const rename = namespaceRenamer([
    { from: 'shop.*', to: 'shop_restored.*' },
    { from: 'data_$customer$.$name$', to: '$name$.data_$customer$' },
  ]);
  assert.equal(rename('shop.a.b'), 'shop_restored.a.b');
  assert.equal(rename('data_ada.orders'), 'orders.data_ada');
  assert.equal(rename('zoo.x'), 'zoo.x');
  assert.throws(() => namespaceRenamer([{ from: 'a.*', to: 'b.c' }]), { code: 'sources.pattern' });
  assert.throws(() => namespaceRenamer([{ from: 'a.*', to: 'b.$x$' }]), { code: 'sources.pattern' });
});
