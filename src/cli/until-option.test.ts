import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseUntil } from './until-option.ts';

test('a time means the whole second, a place in the oplog that entry', () => {
  assert.deepEqual(parseUntil('2026-11-24T03:00:00Z'), { t: 1_795_489_200, i: 0xff_ff_ff_ff });
  assert.deepEqual(parseUntil('1764020000:5'), { t: 1_764_020_000, i: 5 });
  for (const text of ['', 'yesterday', '1:2:3', ':5', '2026-13-01'])
    assert.throws(() => parseUntil(text), /Write a time like .*, or a place in the oplog like 1764020000:5/);
});
