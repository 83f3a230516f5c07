import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '#base';
import { poly1305, wasmPoly1305 } from './poly1305.ts';

interface Vector {
  name: string;
  /** Hex of `r`, `s`, message and tag. */
  r: string;
  s: string;
  message: string;
  tag: string;
}

const zero = '00'.repeat(16);
const ff = 'ff'.repeat(16);
const one = `01${'00'.repeat(15)}`;
const two = `02${'00'.repeat(15)}`;
const hexOf = (text: string): string => Buffer.from(text).toString('hex');
const submission =
  'Any submission to the IETF intended by the Contributor for publication as all or part of an IETF ' +
  'Internet-Draft or RFC and any statement made within the context of an IETF activity is considered an ' +
  '"IETF Contribution". Such statements include oral statements in IETF sessions, as well as written and ' +
  'electronic communications made at any time or place, which are addressed to';
const jabberwocky =
  "'Twas brillig, and the slithy toves\nDid gyre and gimble in the wabe:\n" +
  'All mimsy were the borogoves,\nAnd the mome raths outgrabe.';
const carried = `e33594d7505e43b9${'00'.repeat(8)}3394d7505e4379cd01${'00'.repeat(7)}`;

/** RFC 8439, 2.5.2 and appendix A.3. */
const vectors: Vector[] = [
  {
    name: '2.5.2',
    r: '85d6be7857556d337f4452fe42d506a8',
    s: '0103808afb0db2fd4abff6af4149f51b',
    message: hexOf('Cryptographic Forum Research Group'),
    tag: 'a8061dc1305136c6c22b8baf0c0127a9',
  },
  { name: 'A.3 #1', r: zero, s: zero, message: zero.repeat(4), tag: zero },
  {
    name: 'A.3 #2',
    r: zero,
    s: '36e5f6b5c5e06070f0efca96227a863e',
    message: hexOf(submission),
    tag: '36e5f6b5c5e06070f0efca96227a863e',
  },
  {
    name: 'A.3 #3',
    r: '36e5f6b5c5e06070f0efca96227a863e',
    s: zero,
    message: hexOf(submission),
    tag: 'f3477e7cd95417af89a6b8794c310cf0',
  },
  {
    name: 'A.3 #4',
    r: '1c9240a5eb55d38af333888604f6b5f0',
    s: '473917c1402b80099dca5cbc207075c0',
    message: hexOf(jabberwocky),
    tag: '4541669a7eaaee61e708dc7cbcc5eb62',
  },
  { name: 'A.3 #5', r: two, s: zero, message: ff, tag: `03${'00'.repeat(15)}` },
  { name: 'A.3 #6', r: two, s: ff, message: two, tag: `03${'00'.repeat(15)}` },
  {
    name: 'A.3 #7',
    r: one,
    s: zero,
    message: `${ff}f0${'ff'.repeat(15)}11${'00'.repeat(15)}`,
    tag: `05${'00'.repeat(15)}`,
  },
  {
    name: 'A.3 #8',
    r: one,
    s: zero,
    message: `${ff}fb${'fe'.repeat(15)}${'01'.repeat(16)}`,
    tag: zero,
  },
  { name: 'A.3 #9', r: two, s: zero, message: `fd${'ff'.repeat(15)}`, tag: `fa${'ff'.repeat(15)}` },
  {
    name: 'A.3 #10',
    r: `01${'00'.repeat(7)}04${'00'.repeat(7)}`,
    s: zero,
    message: `${carried}${zero}${one}`,
    tag: `14${'00'.repeat(7)}55${'00'.repeat(7)}`,
  },
  {
    name: 'A.3 #11',
    r: `01${'00'.repeat(7)}04${'00'.repeat(7)}`,
    s: zero,
    message: `${carried}${zero}`,
    tag: `13${'00'.repeat(15)}`,
  },
];

for (const { name, r, s, message, tag } of vectors) {
  test(`makes the tag of RFC 8439, ${name}`, () => {
    const key = Buffer.from(r + s, 'hex');
    assert.equal(Buffer.from(wasmPoly1305(key, Buffer.from(message, 'hex'))).toString('hex'), tag);
    assert.equal(Buffer.from(poly1305(key, Buffer.from(message, 'hex'))).toString('hex'), tag);
  });
}

test('agrees with OpenSSL on messages of every length and of many pieces', () => {
  assert.notEqual(poly1305, wasmPoly1305, 'Node 26 brings a Poly1305 of its own');
  const random = seededRandom(5);
  const lengths = [...Array(200).keys(), 32_767, 32_768, 32_769, 65_536, 1_000_003];
  for (const length of lengths) {
    const key = random.fill(new Uint8Array(32));
    const message = random.fill(new Uint8Array(length));
    assert.deepEqual(
      Buffer.from(wasmPoly1305(key, message)),
      Buffer.from(poly1305(key, message)),
      `${length}`,
    );
  }
});

test('carries right where all bits are set', () => {
  for (let length = 0; length < 200; length++) {
    const message = new Uint8Array(length).fill(0xff);
    for (const fill of [0xff, 0x0f, 0xfc, 0x01]) {
      const key = new Uint8Array(32).fill(fill);
      assert.deepEqual(
        Buffer.from(wasmPoly1305(key, message)),
        Buffer.from(poly1305(key, message)),
        `${length}`,
      );
    }
  }
});
