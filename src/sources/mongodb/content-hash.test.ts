import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { ContentHash, isSameContent } from './content-hash.ts';

function summaryOf(documents: readonly Buffer[]) {
  const hash = new ContentHash();
  for (const document of documents) hash.add(document);
  return hash.summary();
}

const documents = Array.from({ length: 500 }, (_, i) => Buffer.from(`document ${i}`));

test('is the sum of all SHA-256 modulo 2^256', () => {
  let sum = 0n;
  for (const one of documents) sum += BigInt(`0x${createHash('sha256').update(one).digest('hex')}`);
  const hash = (sum % 2n ** 256n).toString(16).padStart(64, '0');
  const bytes = documents.reduce((total, { length }) => total + length, 0);
  assert.deepEqual(summaryOf(documents), { count: 500, bytes, hash });
});

test('does not depend on order, but on how often a document is there', () => {
  const once = summaryOf(documents);
  assert.ok(isSameContent(once, summaryOf(documents.toReversed())));
  const twins = [documents[0]!, documents[0]!];
  assert.notEqual(summaryOf(twins).hash, '0'.repeat(64));
  assert.ok(!isSameContent(once, summaryOf([...documents, ...twins])));
});

test('of nothing is zero', () => {
  assert.deepEqual(summaryOf([]), { count: 0, bytes: 0, hash: '0'.repeat(64) });
});
