import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BSON } from 'mongodb';
import { documentsIn, elementsOf, findElement, textOf } from './bson-bytes.ts';

const one = Buffer.from(BSON.serialize({ a: 1, b: 'two' }));
const other = Buffer.from(BSON.serialize({ c: [true, null] }));

async function lengthsOf(pieces: readonly Uint8Array[]): Promise<number[]> {
  const lengths: number[] = [];
  async function* stream() {
    yield* pieces;
  }
  for await (const document of documentsIn(stream())) lengths.push(document.length);
  return lengths;
}

test('walks fields in order, duplicate and number-like names too', () => {
  // {"10": 1, "2": 2, "2": 3}
  const document = Buffer.from('1b0000001031300001000000103200020000001032000300000000', 'hex');
  const names = [...elementsOf(document)].map(({ name, value }) => [name, Buffer.from(value).readInt32LE()]);
  assert.deepEqual(names, [
    ['10', 1],
    ['2', 2],
    ['2', 3],
  ]);
});

test('finds a field by name', () => {
  assert.equal(textOf(one, 'b'), 'two');
  assert.equal(textOf(one, 'a'), undefined);
  assert.equal(findElement(one, 'z'), undefined);
});

test('cuts a stream into documents wherever its pieces end', async () => {
  const all = Buffer.concat([one, other, one]);
  const lengths = [one.length, other.length, one.length];
  assert.deepEqual(await lengthsOf([all]), lengths);
  assert.deepEqual(await lengthsOf([...all].map((byte) => Buffer.from([byte]))), lengths);
  assert.deepEqual(await lengthsOf([]), []);
});

test('refuses a stream that is cut or damaged', async () => {
  const damaged = { code: 'sources.damaged' };
  await assert.rejects(lengthsOf([one, other.subarray(0, -1)]), damaged);
  await assert.rejects(lengthsOf([Buffer.from([4, 0, 0, 0])]), damaged);
  await assert.rejects(lengthsOf([Buffer.from([0xff, 0xff, 0xff, 0x7f, 0])]), damaged);
  const open = Buffer.from(one);
  open[open.length - 1] = 1;
  await assert.rejects(lengthsOf([open]), damaged);
});

test('refuses a value that leaves its document', () => {
  const long = Buffer.from(one);
  long.writeInt32LE(1000, long.indexOf('two') - 4);
  assert.throws(() => [...elementsOf(long)], { code: 'sources.damaged' });
});
