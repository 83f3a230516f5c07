import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BSON, type Document } from 'mongodb';
import { documentOf } from '../bson-build.ts';
import { rawField } from '../testing/raw-document.ts';
import { isReplacement, patchDocument } from './patch-document.ts';

const bson = (value: object): Uint8Array => BSON.serialize(value, { ignoreUndefined: false });

/** By the driver's own reader, in the order of names. */
function patched(before: Document, update: Document): [string, number] {
  const { document, misfits } = patchDocument(bson(before), bson(update));
  return [BSON.EJSON.stringify(BSON.deserialize(document)), misfits];
}

function delta(before: Document, diff: Document): string {
  const [text, misfits] = patched(before, { $v: 2, diff });
  assert.equal(misfits, 0);
  return text;
}

// The shapes of update_oplog_entry and document_diff in MongoDB's source.
test('a change of version 2 removes, sets in place, appends, and goes inside', () => {
  assert.equal(delta({ a: { b: 1 }, c: 1 }, { sa: { u: { b: 2 } } }), '{"a":{"b":2},"c":1}');
  assert.equal(delta({ a: 1, b: 2, c: 3 }, { d: { b: false } }), '{"a":1,"c":3}');
  assert.equal(delta({ a: 1, b: 2 }, { u: { a: 'x', z: 9 } }), '{"a":"x","b":2,"z":9}');
  assert.equal(delta({ a: 1, b: 2 }, { i: { a: 3, y: 4 } }), '{"b":2,"a":3,"y":4}');
  assert.equal(
    delta(
      { _id: 1, gone: 1, a: 1, n: { x: { y: 1 } } },
      {
        d: { gone: false },
        u: { a: 2 },
        i: { e: 5 },
        sn: { sx: { i: { z: 2 } } },
      },
    ),
    '{"_id":1,"a":2,"n":{"x":{"y":1,"z":2}},"e":5}',
  );
});

test('a change of an array cuts it, sets items, pads with null, and goes inside items', () => {
  assert.equal(delta({ arr: [1, 2, 3] }, { sarr: { a: true, u3: 'x' } }), '{"arr":[1,2,3,"x"]}');
  assert.equal(delta({ arr: [1, 2, 3] }, { sarr: { a: true, l: 2 } }), '{"arr":[1,2]}');
  assert.equal(delta({ arr: [1] }, { sarr: { a: true, u3: 4 } }), '{"arr":[1,null,null,4]}');
  assert.equal(
    delta(
      { arr: [{ q: 1 }, [5, 6]] },
      { sarr: { a: true, s0: { u: { q: 2 } }, s1: { a: true, l: 1, u0: 7 } } },
    ),
    '{"arr":[{"q":2},[7]]}',
  );
  const many = Array.from({ length: 12 }, (_, i) => i);
  assert.equal(
    delta({ arr: many }, { sarr: { a: true, u10: 'ten' } }),
    JSON.stringify({ arr: many.with(10, 'ten' as never) }),
  );
});

test('fields that no object can carry come through a change untouched', () => {
  const twice = [rawField('_id', 1), rawField('two', 1), rawField('two', 'again')];
  const odd = { name: 'gone', type: 0x06, value: Buffer.alloc(0) };
  const before = documentOf([...twice, odd, rawField('10', new BSON.Double(3)), rawField('2', 1)]);
  const { document } = patchDocument(before, bson({ $v: 2, diff: { u: { 2: 'x' } } }));
  assert.deepEqual(
    document,
    documentOf([...twice, odd, rawField('10', new BSON.Double(3)), rawField('2', 'x')]),
  );
});

test('names of fields that look like sections or operators are data', () => {
  assert.equal(delta({ d: 1, s: { u: 1 } }, { ss: { u: { u: 2 } }, u: { d: 2 } }), '{"d":2,"s":{"u":2}}');
  assert.equal(delta({ $set: 1, 'a.b': 2 }, { u: { $set: 2, 'a.b': 3 } }), '{"$set":2,"a.b":3}');
  assert.ok(isReplacement(bson({ _id: 1, $set: { a: 1 }, diff: {} })));
  assert.ok(!isReplacement(bson({ $v: 2, diff: {} })));
});

test('modifiers of version 1 follow their paths', () => {
  const set = (before: Document, update: Document): string => patched(before, { $v: 1, ...update })[0];
  assert.equal(set({ a: { b: 1 } }, { $set: { 'a.b': 2, 'a.c': 3, d: 4 } }), '{"a":{"b":2,"c":3},"d":4}');
  assert.equal(set({ a: 1 }, { $set: { 'x.y.z': 1 } }), '{"a":1,"x":{"y":{"z":1}}}');
  assert.equal(set({ a: [{ b: 1 }] }, { $set: { 'a.0.b': 2, 'a.2': 3 } }), '{"a":[{"b":2},null,3]}');
  assert.equal(set({ a: { 0: 1 } }, { $set: { 'a.0': 2 } }), '{"a":{"0":2}}');
  assert.equal(
    set({ a: { b: 1, c: 2 }, d: [1, 2] }, { $unset: { 'a.b': true, 'd.0': true } }),
    '{"a":{"c":2},"d":[null,2]}',
  );
});

test('a path that leads nowhere changes nothing and is counted', () => {
  assert.deepEqual(patched({ a: 1 }, { $v: 2, diff: { sa: { u: { b: 1 } } } }), ['{"a":1}', 1]);
  assert.deepEqual(patched({ a: { b: 1 } }, { $v: 2, diff: { sa: { a: true, u0: 1 } } }), [
    '{"a":{"b":1}}',
    1,
  ]);
  assert.deepEqual(patched({ a: 1 }, { $v: 2, diff: { sz: { u: { b: 1 } } } }), ['{"a":1}', 1]);
  assert.deepEqual(patched({ a: [] }, { $v: 2, diff: { sa: { a: true, s0: { u: { b: 1 } } } } }), [
    '{"a":[]}',
    1,
  ]);
  assert.deepEqual(patched({ a: 1 }, { $v: 1, $set: { 'a.b': 1 } }), ['{"a":1}', 1]);
});

test('what is no such update is refused', () => {
  for (const update of [
    { $v: 3, diff: {} },
    { $v: 2 },
    { $v: 1, $inc: { a: 1 } },
    { $v: 2, diff: { b: { x: {} } } },
  ])
    assert.throws(() => patchDocument(bson({ a: 1 }), bson(update)), { code: 'sources.oplog' });
  // A compatible server writes what the client sent; replayed it would be another change.
  assert.throws(() => isReplacement(bson({ $inc: { a: 1 } })), { code: 'sources.oplog' });
});
