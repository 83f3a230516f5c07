import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { Decrypter, generateIdentity, identityToRecipient } from 'age-encryption';
import { holdfast, jsonLines, makeRepository } from '../command/holdfast.ts';

let folder: string;
let repository: string;
let archive: Buffer;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-dump-'));
  repository = join(folder, 'repository');
  await makeRepository(repository);
  const lines = readFileSync(join(import.meta.dirname, '../vectors/mongodb/archive.txt'), 'utf8').split('\n');
  archive = Buffer.from(lines.filter((line) => !line.startsWith('#')).join(''), 'base64');
  writeFileSync(join(folder, 'shop.archive'), archive);
});
after(() => {
  spawnSync('gpgconf', ['--homedir', join(folder, 'gpg'), '--kill', 'all']);
  rmSync(folder, { recursive: true, force: true });
});

function dump(...args: string[]) {
  return holdfast(['dump', 'latest', '-r', repository, ...args]);
}

const file = (name: string): string => join(folder, name);

test('an archive of mongodump goes in, is read back, and comes out again, compressed, with its sum', () => {
  const { status, stdout, stderr } = holdfast([
    'backup',
    '-r',
    repository,
    '--from-archive',
    file('shop.archive'),
    '--json',
  ]);
  assert.equal(status, 0, stderr);
  assert.equal(jsonLines(stdout).at(-1)!.read_back, 'matched');
  assert.equal(dump('--archive', file('out.archive.gz')).status, 0);
  assert.deepEqual(gunzipSync(readFileSync(file('out.archive.gz'))), archive);
  const sum = createHash('sha256')
    .update(readFileSync(file('out.archive.gz')))
    .digest('hex');
  assert.equal(readFileSync(file('out.archive.gz.sha256'), 'utf8'), `${sum}  out.archive.gz\n`);
  const again = holdfast(['backup', '-r', repository, '--from-archive', '-', '--name', 'piped'], {
    input: readFileSync(file('out.archive.gz')),
  });
  assert.equal(again.status, 0, again.stderr);
  assert.match(
    holdfast(['ls', 'latest', '-r', repository]).stdout,
    /^\/mongodb-piped\/dump\/shop\/orders\.bson$/m,
  );
});

test('age’s own library opens what was encrypted for two recipients', async () => {
  const identities = [await generateIdentity(), await generateIdentity()];
  const keys = await Promise.all(identities.map(identityToRecipient));
  const to = keys.flatMap((key) => ['--encrypt-to', `age:${key}`]);
  assert.equal(dump('--archive', 'mongodump', '--target', file('out.age'), ...to).status, 0);
  for (const identity of identities) {
    const decrypter = new Decrypter();
    decrypter.addIdentity(identity);
    assert.deepEqual(Buffer.from(await decrypter.decrypt(readFileSync(file('out.age')))), archive);
  }
});

test('gpg opens what was encrypted for its key; without the key nothing is written', () => {
  const home = file('gpg');
  mkdirSync(home, { mode: 0o700 });
  const gpg = (...args: string[]): Buffer =>
    execFileSync('gpg', ['--homedir', home, '--batch', '--passphrase', '', ...args], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  gpg('--quick-generate-key', 'ada@example.org', 'future-default');
  writeFileSync(file('ada.asc'), gpg('--armor', '--export', 'ada@example.org'));
  const made = dump(
    '--archive',
    'mongodump',
    '--gzip',
    '--target',
    file('out.gpg'),
    '--encrypt-to',
    `gpg:${file('ada.asc')}`,
  );
  assert.equal(made.status, 0, made.stderr);
  assert.deepEqual(gunzipSync(gpg('--decrypt', file('out.gpg'))), archive);
  const refused = dump(
    '--archive',
    'mongodump',
    '--target',
    file('no.gpg'),
    '--encrypt-to',
    'gpg:nobody@example.org',
    '--json',
  );
  assert.equal(refused.status, 1);
  assert.equal(jsonLines(refused.stderr).at(-1)!.error_code, 'cli.encryption');
  assert.ok(!existsSync(file('no.gpg')) && !existsSync(file('no.gpg.part')));
});

test('a snapshot without a dump has no such archive, and a secret key is no recipient', () => {
  holdfast(['backup', '-r', repository, file('shop.archive'), '--name', 'file']);
  const absent = dump('--name', 'file', '--archive', file('none'), '--json');
  assert.equal(jsonLines(absent.stderr).at(-1)!.error_code, 'sources.absent');
  assert.ok(!existsSync(file('none')));
  assert.equal(dump('--archive', 'mongodump', '--encrypt-to', 'age:AGE-SECRET-KEY-1ABC').status, 2);
});
