import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom, systemClock } from '#base';
import { idOf, type KeyId } from '../format/ids.ts';
import { randomMasterKey } from '../format/sealed.ts';
import { memoryStorage, vectorStorage } from '../format/testing/memory-storage.ts';
import { SimulatedClock } from '../format/testing/simulated-clock.ts';
import { loadConfig } from './config.ts';
import { calibrateKdf, deriveKey, isBearable } from './kdf.ts';
import { createKeyFile, openKeyFile, parseKeyFile } from './key-file.ts';
import { listKeys, openWithPassword, storeKey } from './keys.ts';

const random = seededRandom(6);
const kdf = { N: 1024, r: 8, p: 1 };
const label = { createdAtMs: Date.UTC(2026, 0, 1), username: 'anna', hostname: 'db1' };
const masterKey = randomMasterKey(random);

function newKey(password: string) {
  return { password, username: 'anna', hostname: 'db1', clock: new SimulatedClock(), random, kdf };
}

/** Key files of these passwords; their ids in the order in which they are tried. */
async function withKeys(passwords: string[]) {
  const storage = memoryStorage();
  const ids = new Map<string, KeyId>();
  for (const password of passwords) ids.set(password, await storeKey(storage, masterKey, newKey(password)));
  const inOrder = passwords.toSorted((a, b) => (ids.get(a)! < ids.get(b)! ? -1 : 1));
  return { storage, ids, inOrder };
}

test('opens the key file and the config that stock restic made', async () => {
  const storage = vectorStorage('restic-0.14/repository');
  const { id, key } = await openWithPassword(storage, 'holdfast');
  assert.equal(id, 'b984d942ba7fe12d2b9f4798159f17cdd7082306606ebc7a291800bb22ed42be');
  assert.equal((await loadConfig(storage, key)).version, 2);
  const [listed] = await listKeys(storage);
  const { username, hostname, kdf: cost, createdAtMs } = listed!.file!;
  assert.deepEqual(
    { username, hostname, cost },
    { username: 'root', hostname: 'vm', cost: { N: 32768, r: 8, p: 6 } },
  );
  assert.equal(new Date(createdAtMs).toISOString(), '2026-11-24T14:53:04.852Z');
});

test('scrypt gives what RFC 7914 says', async () => {
  const { encrypt, macK, macR } = await deriveKey('password', Buffer.from('NaCl'), { N: 1024, r: 8, p: 16 });
  assert.equal(
    Buffer.concat([encrypt, macK, macR]).toString('hex'),
    'fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640',
  );
});

test('bears what restic and rustic ask of scrypt, and no more than a machine can', () => {
  for (const good of [
    kdf,
    { N: 32768, r: 8, p: 6 },
    { N: 131072, r: 8, p: 1 },
    { N: 2 ** 20, r: 8, p: 64 },
  ]) {
    assert.ok(isBearable(good), JSON.stringify(good));
  }
  const bad = [
    { N: 1000, r: 8, p: 1 },
    { N: 1, r: 8, p: 1 },
    { N: 0, r: 8, p: 1 },
    { N: -1024, r: 8, p: 1 },
    { N: 2 ** 21, r: 8, p: 1 },
    { N: 1024, r: 0, p: 1 },
    { N: 1024, r: 8, p: 0 },
    { N: 1024, r: 8, p: 65 },
    { N: 1024, r: 8.5, p: 1 },
    { N: Number.NaN, r: 8, p: 1 },
    { N: Number.POSITIVE_INFINITY, r: 8, p: 1 },
    { N: 2, r: 2 ** 30, p: 1 },
  ];
  for (const one of bad) assert.ok(!isBearable(one), JSON.stringify(one));
});

test('the cost that is chosen for a machine is bearable, also when its clock stands still', async () => {
  assert.ok(isBearable(await calibrateKdf(systemClock)));
  assert.deepEqual(await calibrateKdf(new SimulatedClock()), { N: 32768, r: 8, p: 16 });
});

test('a key file has the members of restic in its order, and gives the key back', async () => {
  const bytes = await createKeyFile(masterKey, 'päss', { label, kdf, random });
  const members = Object.keys(JSON.parse(bytes.toString()));
  assert.deepEqual(members, ['created', 'username', 'hostname', 'kdf', 'N', 'r', 'p', 'salt', 'data']);
  const file = parseKeyFile(bytes);
  assert.equal(file.createdAtMs, label.createdAtMs);
  const opened = await openKeyFile(file, 'päss');
  assert.deepEqual(Buffer.from(opened!.encrypt), Buffer.from(masterKey.encrypt));
  assert.equal(await openKeyFile(file, 'pass'), undefined);
});

test('refuses key files that are broken or ask too much', async () => {
  const good = JSON.parse((await createKeyFile(masterKey, 'x', { label, kdf, random })).toString());
  const broken: Record<string, unknown>[] = [
    { kdf: 'argon2' },
    { N: 1000 },
    { N: 2 ** 30 },
    { p: 1e9 },
    { salt: 'AAAA' },
    { salt: '*' },
    { data: 7 },
    { created: 'yesterday' },
    { username: 7 },
  ];
  for (const change of broken) {
    const json = Buffer.from(JSON.stringify({ ...good, ...change }));
    assert.throws(() => parseKeyFile(json), { code: 'repository.damaged' }, JSON.stringify(change));
  }
  for (const text of ['', '[]', 'null', '{"kdf":']) {
    assert.throws(() => parseKeyFile(Buffer.from(text)), { code: 'repository.damaged' });
  }
});

test('finds the key among several, and tells a wrong password', async () => {
  const { storage, ids } = await withKeys(['one', 'two', 'three']);
  for (const password of ['one', 'two', 'three']) {
    assert.equal((await openWithPassword(storage, password)).id, ids.get(password));
  }
  await assert.rejects(openWithPassword(storage, 'four'), {
    code: 'repository.wrong-password',
    message: 'the password opens none of 3 keys of memory',
  });
});

test('a damaged key beside a good one keeps nobody out', async () => {
  const { storage, ids } = await withKeys(['one', 'two']);
  storage.files.get(`keys/${ids.get('one')}`)![50]! ^= 1;
  const noJson = Buffer.from('no JSON, but its name is its hash');
  storage.files.set(`keys/${idOf(noJson)}`, noJson);
  assert.equal((await openWithPassword(storage, 'two')).id, ids.get('two'));
  await assert.rejects(openWithPassword(storage, 'one'), {
    code: 'repository.wrong-password',
    message: 'the password opens none of 1 keys of memory (2 more are damaged)',
  });
  storage.files.delete(`keys/${ids.get('two')}`);
  await assert.rejects(openWithPassword(storage, 'two'), { code: 'repository.damaged', message: /^no key/ });
});

test('tries twenty keys and no more, the one of the hint first', async () => {
  const passwords = Array.from({ length: 22 }, (_, i) => `p${i}`);
  const { storage, ids, inOrder } = await withKeys(passwords);
  assert.equal((await openWithPassword(storage, inOrder[19]!)).id, ids.get(inOrder[19]!));
  const last = inOrder[21]!;
  await assert.rejects(openWithPassword(storage, last), {
    code: 'repository.wrong-password',
    hint: 'Only 20 of 22 keys were tried. Name yours with --key-hint.',
  });
  const hint = ids.get(last)!.slice(0, 12);
  assert.equal((await openWithPassword(storage, last, { hint })).id, ids.get(last));
});
