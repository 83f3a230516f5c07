import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import { test } from 'node:test';
import { type Random, seededRandom } from '#base';
import { isUsable, type MasterKey, open, randomMasterKey, seal, sealOverheadBytes } from './sealed.ts';

const random = seededRandom(3);
const key = randomMasterKey(random);
const isDamaged = { code: 'repository.damaged' };

test('opens what it sealed, of every size', () => {
  for (const size of [0, 1, 15, 16, 17, 31, 32, 33, 1000, 65_537]) {
    const plain = random.fill(new Uint8Array(size));
    const unit = seal(key, plain, random);
    assert.equal(unit.length, size + sealOverheadBytes);
    assert.deepEqual(Buffer.from(open(key, unit)), Buffer.from(plain));
  }
});

test('is nonce, AES-256-CTR from that nonce, and a MAC', () => {
  const plain = Buffer.from('the ciphertext begins behind sixteen bytes of nonce');
  const unit = seal(key, plain, random);
  const cipher = createCipheriv('aes-256-ctr', key.encrypt, unit.subarray(0, 16)).update(plain);
  assert.deepEqual(Buffer.from(unit.subarray(16, -16)), cipher);
});

test('never uses a nonce twice', () => {
  const nonces = Array.from({ length: 100 }, () =>
    Buffer.from(seal(key, new Uint8Array(1), random).subarray(0, 16)).toString('hex'),
  );
  assert.equal(new Set(nonces).size, 100);
});

test('refuses every flipped bit', () => {
  const unit = seal(key, Buffer.from('holdfast'), random);
  for (let bit = 0; bit < unit.length * 8; bit++) {
    const changed = new Uint8Array(unit);
    changed[bit >> 3]! ^= 1 << (bit & 7);
    assert.throws(() => open(key, changed), isDamaged, `bit ${bit}`);
  }
});

test('refuses what is cut or longer', () => {
  const unit = seal(key, Buffer.from('holdfast'), random);
  for (let length = 0; length < unit.length; length++) {
    assert.throws(() => open(key, unit.subarray(0, length)), isDamaged, `${length} bytes`);
  }
  assert.throws(() => open(key, Buffer.concat([unit, Buffer.of(0)])), isDamaged);
});

test('refuses the key of another repository', () => {
  assert.throws(() => open(randomMasterKey(random), seal(key, Buffer.from('x'), random)), isDamaged);
});

test('refuses a nonce of zeros even when the MAC fits, and draws another one itself', () => {
  let draws = 0;
  const zeroFirst: Random = { ...random, fill: (view) => (draws++ === 0 ? view.fill(0) : random.fill(view)) };
  const unit = seal(key, Buffer.from('x'), zeroFirst);
  assert.equal(draws, 2);
  assert.ok(unit.subarray(0, 16).some((byte) => byte !== 0));
  unit.fill(0, 0, 16);
  assert.throws(() => open(key, unit), { ...isDamaged, message: /all-zero nonce/ });
});

test('refuses a key with a part of zeros, to seal and to open', () => {
  const unit = seal(key, Buffer.from('x'), random);
  for (const part of ['encrypt', 'macK', 'macR'] as const) {
    const zeroed: MasterKey = { ...key, [part]: new Uint8Array(key[part].length) };
    assert.ok(!isUsable(zeroed));
    assert.throws(() => seal(zeroed, Buffer.from('x'), random), isDamaged);
    assert.throws(() => open(zeroed, unit), isDamaged);
  }
});

test('a new key is usable even when the random number generator gives zeros at first', () => {
  let draws = 0;
  const zeroFirst: Random = { ...random, fill: (view) => (draws++ < 3 ? view.fill(0) : random.fill(view)) };
  assert.ok(isUsable(randomMasterKey(zeroFirst)));
});
