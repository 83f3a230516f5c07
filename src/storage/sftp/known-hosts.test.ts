import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../testing/temporary-folder.ts';
import { fingerprintOf, KnownHosts, typeOf } from './known-hosts.ts';

const server = { host: 'backup.example.org', port: 22 };
const onPort = { ...server, port: 2222 };
const one = keyOf('ssh-ed25519', 1);
const two = keyOf('ssh-ed25519', 2);
const rsa = keyOf('ssh-rsa', 3);

/** A key as it stands in the protocol: its type, then what we do not look into. */
function keyOf(type: string, fill: number): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(type.length);
  return Buffer.concat([length, Buffer.from(type), Buffer.alloc(40, fill)]);
}

function lineOf(hosts: string, key: Uint8Array): string {
  return `${hosts} ${typeOf(key)} ${Buffer.from(key).toString('base64')}`;
}

async function fileOf(...lines: string[]): Promise<string> {
  const path = join(await temporaryFolder(), 'known_hosts');
  writeFileSync(path, lines.join('\n'));
  return path;
}

async function hostsOf(...lines: string[]): Promise<KnownHosts> {
  return new KnownHosts([await fileOf(...lines)]);
}

test('knows a host by name, list and pattern, and its port', async () => {
  const cases = {
    'backup.example.org': ['known', 'unknown'],
    'other,backup.example.org,192.0.2.1': ['known', 'unknown'],
    '*.example.org': ['known', 'unknown'],
    '*.example.org,!backup.*': ['unknown', 'unknown'],
    'backupXexample.org': ['unknown', 'unknown'],
    '[backup.example.org]:2222': ['unknown', 'known'],
    'BACKUP.example.org': ['known', 'unknown'],
  };
  for (const [hosts, expected] of Object.entries(cases)) {
    const known = await hostsOf('# a comment', '', `${lineOf(hosts, one)} somebody@somewhere`);
    assert.deepEqual([known.verdictOn(server, one), known.verdictOn(onPort, one)], expected, hosts);
  }
});

test('knows names that ssh-keygen hashed', async () => {
  const path = await fileOf(lineOf('backup.example.org', one), lineOf('[backup.example.org]:2222', two), '');
  execFileSync('ssh-keygen', ['-q', '-H', '-f', path], { stdio: 'ignore' });
  assert.doesNotMatch(readFileSync(path, 'utf8'), /backup/);
  const known = new KnownHosts([path]);
  assert.equal(known.verdictOn(server, one), 'known');
  assert.equal(known.verdictOn(onPort, two), 'known');
  assert.equal(known.verdictOn(server, two), 'changed');
  assert.equal(known.verdictOn({ host: 'example.org', port: 22 }, one), 'unknown');
});

test('one of several keys of a host is enough, and a key of a type that is not known is a changed one', async () => {
  const known = await hostsOf(lineOf('backup.example.org', one), lineOf('backup.example.org', rsa));
  assert.equal(known.verdictOn(server, one), 'known');
  assert.equal(known.verdictOn(server, rsa), 'known');
  assert.equal(known.verdictOn(server, two), 'changed');
  assert.equal(known.verdictOn(server, keyOf('ecdsa-sha2-nistp256', 1)), 'changed');
  assert.deepEqual(known.typesOf(server), ['ssh-ed25519', 'ssh-rsa']);
});

test('a revoked key is refused though it is known, and makes no host known', async () => {
  const revoked = `@revoked ${lineOf('*', one)}`;
  const known = await hostsOf(lineOf('backup.example.org', one), revoked);
  assert.equal(known.verdictOn(server, one), 'revoked');
  assert.equal((await hostsOf(revoked)).verdictOn(server, two), 'unknown');
});

test('lines about certificates vouch for no key', async () => {
  const known = await hostsOf(`@cert-authority ${lineOf('*.example.org', one)}`);
  assert.equal(known.verdictOn(server, one), 'unknown');
});

test('adds a key to the first file, which may not be there yet, and reads them all', async () => {
  const first = join(await temporaryFolder(), 'new/known_hosts');
  const second = await fileOf(lineOf('second.example.org', two));
  const known = new KnownHosts([first, second]);
  assert.equal(known.verdictOn({ host: 'second.example.org', port: 22 }, two), 'known');
  known.add(onPort, one);
  assert.equal(statSync(first).mode & 0o777, 0o600);
  assert.equal(new KnownHosts([first]).verdictOn(onPort, one), 'known');
  writeFileSync(first, lineOf('open.line.example.org', two));
  known.add(server, one);
  const lines = readFileSync(first, 'utf8').split('\n');
  assert.deepEqual(lines, [lineOf('open.line.example.org', two), lineOf('backup.example.org', one), '']);
});

test('says which file of known hosts cannot be used', async () => {
  const folder = await temporaryFolder();
  const known = new KnownHosts([folder]);
  const expected = {
    code: 'storage.access-denied',
    message: /known hosts: EISDIR/,
    hint: /HOLDFAST_SFTP_KNOWN/,
  };
  assert.throws(() => known.verdictOn(server, one), expected);
  const below = new KnownHosts([join(await fileOf('not a folder'), 'known_hosts')]);
  assert.throws(() => below.verdictOn(server, one), { code: 'storage.access-denied' });
});

test('shows the fingerprint that ssh-keygen shows', async () => {
  const path = join(await temporaryFolder(), 'key');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path]);
  const key = Buffer.from(readFileSync(`${path}.pub`, 'utf8').split(' ')[1]!, 'base64');
  const shown = execFileSync('ssh-keygen', ['-l', '-f', `${path}.pub`], { encoding: 'utf8' });
  assert.equal(shown.split(' ')[1], fingerprintOf(key));
  assert.equal(typeOf(key), 'ssh-ed25519');
});
