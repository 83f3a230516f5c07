import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BSON, type Document } from 'mongodb';
import { OplogWriter } from '../testing/oplog-entries.ts';
import { parseEntry } from './oplog-entry.ts';
import { Transactions } from './transactions.ts';

const lsid = { id: new BSON.UUID('00000000-0000-4000-8000-000000000001') };
const inTransaction = (txnNumber: number, more: Document = {}): Document => ({
  lsid,
  txnNumber: BSON.Long.fromNumber(txnNumber),
  prevOpTime: { ts: new BSON.Timestamp({ t: 0, i: 0 }), t: BSON.Long.fromNumber(-1) },
  ...more,
});
const insert = (id: number): Document => ({ op: 'i', ns: 'shop.orders', o: { _id: id } });
const before = {
  prevOpTime: { ts: new BSON.Timestamp({ t: 1_700_000_000, i: 1 }), t: BSON.Long.fromNumber(1) },
};

/** `_id`s that each entry makes due. */
function due(fill: (oplog: OplogWriter) => void): (number | string)[][] {
  const oplog = new OplogWriter();
  fill(oplog);
  const transactions = new Transactions();
  return oplog.entries.map((bytes) =>
    transactions.due(parseEntry(bytes)).map(({ op, o }) => (op === 'i' ? BSON.deserialize(o)._id : op)),
  );
}

test('a transaction of one entry, and inserts that only look like one, are due at once', () => {
  const small = due((oplog) => {
    oplog.command('admin', { applyOps: [insert(1), insert(2)] }, inTransaction(1));
    oplog.command('admin', { applyOps: [insert(3)] }, inTransaction(2, { multiOpType: 1, ...before }));
    oplog.command('admin', {
      applyOps: [insert(4), { op: 'c', ns: 'admin.$cmd', o: { applyOps: [insert(5)] } }],
    });
    oplog.noop();
  });
  assert.deepEqual(small, [[1, 2], [3], [4, 5], ['n']]);
});

test('a large transaction is due at its last entry, a prepared one at its commit, an aborted one never', () => {
  const found = due((oplog) => {
    oplog.command('admin', { applyOps: [insert(1)], partialTxn: true }, inTransaction(1));
    oplog.insert('shop.orders', { _id: 9 });
    oplog.command('admin', { applyOps: [insert(2)], partialTxn: true }, inTransaction(1, before));
    oplog.command('admin', { applyOps: [insert(10)], prepare: true }, inTransaction(2));
    oplog.command('admin', { applyOps: [insert(3)], count: 3 }, inTransaction(1, before));
    oplog.command('admin', { applyOps: [insert(20)], prepare: true }, inTransaction(3));
    oplog.command('admin', { abortTransaction: 1 }, inTransaction(3, before));
    oplog.command(
      'admin',
      { commitTransaction: 1, commitTimestamp: new BSON.Timestamp({ t: 1, i: 1 }) },
      inTransaction(2, before),
    );
  });
  assert.deepEqual(found, [[], [9], [], [], [1, 2, 3], [], [], [10]]);
});

test('operations have the time of the entry that commits them', () => {
  const oplog = new OplogWriter();
  oplog.command('admin', { applyOps: [insert(1)], prepare: true }, inTransaction(1));
  oplog.command('admin', { commitTransaction: 1 }, inTransaction(1, before));
  const transactions = new Transactions();
  const [first, last] = oplog.entries.map((bytes) => parseEntry(bytes));
  assert.deepEqual(transactions.due(first!), []);
  assert.equal(transactions.openCount, 1);
  assert.deepEqual(transactions.due(last!)[0]!.time, { t: 1_700_000_000, i: 2 });
  assert.equal(transactions.openCount, 0);
});

test('a transaction whose beginning is not there is a gap', () => {
  const gap = { code: 'sources.oplog-gap' };
  const commit = { commitTransaction: 1 };
  assert.throws(() => due((oplog) => oplog.command('admin', commit, inTransaction(1, before))), gap);
  const second = { applyOps: [insert(2)], count: 2 };
  assert.throws(() => due((oplog) => oplog.command('admin', second, inTransaction(1, before))), gap);
});
