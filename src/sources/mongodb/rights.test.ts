import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandsForUser, missingPrivileges, neededPrivileges, type Privilege } from './rights.ts';

const whole = neededPrivileges({ withUsers: true });

test('a user with just the needed rights misses none, and one without rights all', () => {
  assert.deepEqual(missingPrivileges(whole, whole), []);
  assert.deepEqual(missingPrivileges([], whole), whole);
  const { privileges } = commandsForUser({ withUsers: true }).createRole;
  assert.deepEqual(missingPrivileges(privileges, whole), []);
  // Sizes, and the state of the set: used where they are allowed.
  const actions = privileges.flatMap((one: Privilege) => one.actions);
  assert.ok(actions.includes('collStats') && actions.includes('replSetGetStatus'));
});

test('a right on everything covers everything', () => {
  assert.deepEqual(
    missingPrivileges([{ resource: { anyResource: true }, actions: ['anyAction'] }], whole),
    [],
  );
});

test('a right on every database covers neither config nor system collections', () => {
  const every: Privilege = {
    resource: { db: '', collection: '' },
    actions: ['find', 'listCollections', 'listIndexes', 'dbStats', 'listDatabases', 'getParameter'],
  };
  const missing = missingPrivileges([every], whole).map(({ resource }) => resource);
  assert.deepEqual(missing, [
    { cluster: true },
    { db: '', system_buckets: '' },
    { db: '', collection: 'system.js' },
    { db: 'config', collection: '' },
    { db: 'local', collection: 'oplog.rs' },
    ...['system.users', 'system.roles', 'system.version'].map((collection) => ({ db: 'admin', collection })),
  ]);
});

test('one database needs nothing outside of it', () => {
  assert.ok(neededPrivileges({ database: 'shop' }).every(({ resource }) => resource.db === 'shop'));
  const other: Privilege = { resource: { db: 'zoo', collection: '' }, actions: ['find'] };
  assert.equal(missingPrivileges([other], neededPrivileges({ database: 'shop' })).length, 3);
});
