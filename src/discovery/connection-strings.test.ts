import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findConnections } from './connection-strings.ts';

const hostsOf = (value: string): string | undefined => findConnections([['URL', value]])[0]?.hosts;

test('hosts are told where they are clear', () => {
  for (const [value, hosts] of [
    ['mongodb://a:1,b:2/db?x=y', 'a:1,b:2'],
    ['mongodb+srv://u:p@cluster.example.net/db', 'cluster.example.net'],
    ['redis://:p@cache:6379/0', 'cache:6379'],
    ['jdbc:postgresql://db.example:5432/x?user=a&password=b', 'db.example:5432'],
    ['mysql://u@[::1]:3306/x', '[::1]:3306'],
    ['"postgres://u:p%40x@h/db"', 'h'],
  ] as const)
    assert.equal(hostsOf(value), hosts, value);
});

test('hosts are not told where a password could be taken for one', () => {
  for (const value of [
    'mongodb://user:pa/ss@host/db',
    'redis://:pa?ss@host',
    'postgres://user:p@ss@host/db',
    'mysql://user:pa#ss@host/db',
    'redis://:secret',
    'redis://user:secret',
    'postgres://user:12 34@host/db',
  ]) {
    const found = findConnections([['URL', value]]);
    assert.equal(found.length, 1, value);
    assert.equal(found[0]!.hosts, undefined, value);
  }
});

test('what is no connection string is none, whatever its name', () => {
  const values = ['https://example.org', 'mongodb', 'a mysql: b', 'xpostgres://h', 42, undefined, { a: 1 }];
  assert.deepEqual(findConnections(values.map((value) => ['URL', value] as const)), []);
  assert.deepEqual(findConnections([['a name with mongodb://x', 'mongodb://h']]), []);
});
