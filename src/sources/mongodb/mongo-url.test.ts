import assert from 'node:assert/strict';
import { test } from 'node:test';
import { folderOf, parseMongoUrl } from './mongo-url.ts';

test('tells hosts and user, and hides every secret in a text', () => {
  const url = parseMongoUrl(
    'mongodb://ada:p%40ss@db2.example.org:27018,DB1.example.org/?tlsCertificateKeyFilePassword=key',
  );
  assert.deepEqual(url.hosts, ['db1.example.org', 'db2.example.org:27018']);
  assert.equal(url.user, 'ada');
  assert.ok(url.options.has('tlscertificatekeyfilepassword'));
  assert.equal(url.redact('bad p%40ss or p@ss or key'), 'bad *** or *** or ***');
});

test('refuses what could take a password for a host, and does not show it', () => {
  for (const text of [
    'mongodb://ada:se/cret@host/',
    'mongodb://ada:se?cret@host/',
    'mongodb://ada:1?secret@host/',
    'mongodb://ada:se@cret@host/',
    'mongodb://ada:se#cret@host/',
    'mongodb://ada:secret@',
    'mongodb://',
  ])
    assert.throws(
      () => parseMongoUrl(text),
      (error: Error & { code?: string }) =>
        error.code === 'sources.location' && !error.message.includes('cret'),
      text,
    );
});

test('the folder in snapshots is the first host', () => {
  assert.equal(folderOf(parseMongoUrl('mongodb://u:p@db:27017,a.example:27018/')), 'mongodb-a.example-27018');
  assert.equal(
    folderOf(parseMongoUrl('mongodb+srv://u:p@cluster0.example.net/')),
    'mongodb-cluster0.example.net',
  );
  assert.equal(folderOf(parseMongoUrl('mongodb://[::1]:27117/')), 'mongodb-__1-27117');
});
