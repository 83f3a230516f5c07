import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '#base';
import { degreeOf, isIrreducible } from '../chunker/polynomial.ts';
import { randomMasterKey } from '../format/sealed.ts';
import { memoryStorage } from '../format/testing/memory-storage.ts';
import { decodeConfig, loadConfig, newConfig, saveConfig } from './config.ts';

const random = seededRandom(8);
const key = randomMasterKey(random);
const good = { version: 2, id: 'ab'.repeat(32), chunker_polynomial: '3da3358b4dc173' };
const decode = (changes: Record<string, unknown>) =>
  decodeConfig(Buffer.from(JSON.stringify({ ...good, ...changes })));

test('a new config has a random id and an irreducible polynomial of degree 53, and is read back', async () => {
  const storage = memoryStorage();
  const config = newConfig(random);
  assert.notEqual(config.id, newConfig(random).id);
  assert.equal(degreeOf(config.chunkerPolynomial), 53);
  assert.ok(isIrreducible(config.chunkerPolynomial));
  await saveConfig(storage, key, config, random);
  assert.deepEqual(await loadConfig(storage, key), config);
  await assert.rejects(loadConfig(storage, randomMasterKey(random)), { code: 'repository.damaged' });
});

test('can share the polynomial of another repository', () => {
  assert.equal(newConfig(random, 0x3da3358b4dc173n).chunkerPolynomial, 0x3da3358b4dc173n);
});

test('reads versions 1 and 2, and names a version that it does not know', () => {
  assert.equal(decode({}).version, 2);
  assert.equal(decode({ version: 1 }).version, 1);
  for (const version of [3, 0, '2', undefined]) {
    assert.throws(() => decode({ version }), {
      code: 'repository.version',
      message: `cannot read a repository of version ${version}`,
      hint: /Update Holdfast/,
    });
  }
});

test('refuses a polynomial that would cut elsewhere, or nowhere', () => {
  const bad = [
    '3da3358b4dc172',
    '3da3358b4dc175',
    '1',
    '0',
    '',
    'xyz',
    '0x3da3358b4dc173',
    7,
    '1da3358b4dc173',
    '7da3358b4dc173',
  ];
  for (const chunker_polynomial of bad) {
    assert.throws(
      () => decode({ chunker_polynomial }),
      { code: 'repository.damaged' },
      String(chunker_polynomial),
    );
  }
});

test('refuses a config without an id', () => {
  for (const id of [undefined, '', 'AB'.repeat(32), 7])
    assert.throws(() => decode({ id }), { code: 'repository.damaged' });
});
