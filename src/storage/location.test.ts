import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { StorageError } from './errors.ts';
import { type Location, parseLocation } from './location.ts';

const understood: Record<string, Location> = {
  '/srv/backup': { kind: 'local', path: '/srv/backup' },
  '/srv/me@home:x?y': { kind: 'local', path: '/srv/me@home:x?y' },
  'local:/srv/a:b@c': { kind: 'local', path: '/srv/a:b@c' },
  'LOCAL:/srv/x/../y/': { kind: 'local', path: '/srv/y' },
  'backup/here': { kind: 'local', path: resolve('backup/here') },
  './s3:x': { kind: 'local', path: resolve('s3:x') },
  's3:https://host/bucket/some/prefix/': {
    kind: 's3',
    endpoint: 'https://host',
    bucket: 'bucket',
    prefix: 'some/prefix',
  },
  's3:http://127.0.0.1:9000/bucket': {
    kind: 's3',
    endpoint: 'http://127.0.0.1:9000',
    bucket: 'bucket',
    prefix: '',
  },
  's3:s3.amazonaws.com/bucket/a%20b@c': {
    kind: 's3',
    endpoint: 'https://s3.amazonaws.com',
    bucket: 'bucket',
    prefix: 'a b@c',
  },
  's3://host:444/bucket': { kind: 's3', endpoint: 'https://host:444', bucket: 'bucket', prefix: '' },
  'azure:box:/a/b': { kind: 'azure', container: 'box', prefix: 'a/b' },
  'azure:box:': { kind: 'azure', container: 'box', prefix: '' },
  'gs:bucket:/': { kind: 'gs', bucket: 'bucket', prefix: '' },
  'gs:bucket:a@b': { kind: 'gs', bucket: 'bucket', prefix: 'a@b' },
  'gdrive:Backups/shop': { kind: 'gdrive', folder: 'Backups/shop' },
  'sftp:user@host:/srv/x@y': { kind: 'sftp', user: 'user', host: 'host', path: '/srv/x@y' },
  'sftp:host:in/home': { kind: 'sftp', host: 'host', path: 'in/home' },
  'sftp:host:/x@y': { kind: 'sftp', host: 'host', path: '/x@y' },
  'sftp:me@[::1]:/x': { kind: 'sftp', user: 'me', host: '::1', path: '/x' },
  'sftp://user@host:2222//srv': { kind: 'sftp', user: 'user', host: 'host', port: 2222, path: '/srv' },
  'sftp://host/in/home': { kind: 'sftp', host: 'host', path: 'in/home' },
  'rest:https://host:8000/repo': { kind: 'rest', url: 'https://host:8000/repo/' },
  'rest:http://user@host/': { kind: 'rest', url: 'http://user@host/' },
};

for (const [text, location] of Object.entries(understood))
  test(`understands ${text}`, () => assert.deepEqual(parseLocation(text), location));

const refused = [
  '',
  'local:',
  'swift:container:/path',
  'C:\\backup',
  's3:',
  's3:https://host',
  's3:https://key@host/bucket',
  'azure::/x',
  'gs:a/b',
  'gdrive:/',
  'sftp:host',
  'sftp://host',
  'sftp:@host:/x',
  'rest:host/repo',
  'rest:https://',
  'local:/a\0b',
];

for (const text of refused)
  test(`refuses ${JSON.stringify(text)}`, () => {
    assert.throws(
      () => parseLocation(text),
      (error) => error instanceof StorageError && error.code === 'storage.location' && !!error.hint,
    );
  });

const withSecrets = [
  's3:https://key:SECRET@host/bucket',
  's3:https://key:SE@C/RET@host/bucket',
  's3:https://host/bucket?X-Amz-Signature=SECRET',
  's3:https://host/bucket#SECRET',
  'rest:https://user:SECRET@host/',
  'sftp:user:SECRET@host:/path',
  'sftp://user:SECRET@host/path',
  'user:SECRET@host:/path',
  'ftp://user:SECRET@host/path',
  'https://user:SECRET@host/path?SECRET',
  'azure:/name:SECRET@host',
];

for (const text of withSecrets)
  test(`refuses ${text} and does not repeat the secret`, () => {
    assert.throws(
      () => parseLocation(text),
      (error) => {
        assert(error instanceof StorageError);
        assert.equal(error.code, 'storage.location');
        assert.doesNotMatch(JSON.stringify([error.message, error.hint, error.context]), /SE.?C.?RET/);
        return true;
      },
    );
  });
