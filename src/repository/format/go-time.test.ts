import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dateOfDay, formatGoTime, parseGoTime } from './go-time.ts';

const nsPerSecond = 1_000_000_000n;

test('writes times as Go does', () => {
  const cases: [timeNs: bigint, offset: number, text: string][] = [
    [0n, 0, '1970-01-01T00:00:00Z'],
    [1n, 0, '1970-01-01T00:00:00.000000001Z'],
    [-1n, 0, '1969-12-31T23:59:59.999999999Z'],
    [1_700_000_000_500_000_000n, 0, '2023-11-14T22:13:20.5Z'],
    [1_700_000_000_123_456_789n, 60, '2023-11-14T23:13:20.123456789+01:00'],
    [1_700_000_000_000_000_020n, 330, '2023-11-15T03:43:20.00000002+05:30'],
    [1_700_000_000_000_000_000n, -210, '2023-11-14T18:43:20-03:30'],
    [951_782_400n * nsPerSecond, 0, '2000-02-29T00:00:00Z'],
    [4_107_542_399n * nsPerSecond, 0, '2100-02-28T23:59:59Z'],
  ];
  for (const [timeNs, offset, text] of cases) {
    assert.equal(formatGoTime(timeNs, offset), text);
    assert.deepEqual(parseGoTime(text), { timeNs, utcOffsetMinutes: offset });
  }
});

test('holds years within 0 and 9999, which are all that Go writes', () => {
  const last = 253_402_300_799n * nsPerSecond;
  assert.equal(formatGoTime(last), '9999-12-31T23:59:59Z');
  assert.equal(
    formatGoTime(last + 2n * nsPerSecond + 5n),
    '9999-01-01T00:00:01.000000005Z',
    'only the year changes',
  );
  assert.equal(formatGoTime(last, 60), '9999-01-01T00:59:59+01:00', 'the year of the zone counts');
  const first = -62_167_219_200n * nsPerSecond;
  assert.equal(formatGoTime(first), '0000-01-01T00:00:00Z');
  assert.equal(formatGoTime(first - nsPerSecond), '0000-12-31T23:59:59Z');
  assert.equal(formatGoTime(first, -60), '0000-12-31T23:00:00-01:00');
  const leapDayOf12000 = BigInt(Date.UTC(12_000, 1, 29)) * 1_000_000n;
  assert.equal(formatGoTime(leapDayOf12000), '9999-03-01T00:00:00Z');
  assert.match(formatGoTime(2n ** 63n * nsPerSecond), /^9999-/);
});

test('agrees with JavaScript on dates of eight thousand years', () => {
  for (let day = -700_000; day < 2_900_000; day += 137) {
    const { year, month, day: dayOfMonth } = dateOfDay(day);
    const date = new Date(day * 86_400_000);
    const theirs = [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()];
    assert.deepEqual([year, month, dayOfMonth], theirs);
    assert.equal(
      parseGoTime(formatGoTime(BigInt(day) * 86_400n * nsPerSecond)).timeNs,
      BigInt(day) * 86_400n * nsPerSecond,
    );
  }
});

test('reads fractions of any length', () => {
  const read = (fraction: string) => parseGoTime(`1970-01-01T00:00:00.${fraction}Z`).timeNs;
  assert.equal(read('5'), 500_000_000n);
  assert.equal(read('000000001'), 1n);
  assert.equal(read('1234567899'), 123_456_789n, 'what is finer is cut, as in Go');
});

test('refuses what is no time', () => {
  const bad = [
    undefined,
    null,
    7,
    '',
    '2026-01-01',
    '2026-01-01T00:00:00',
    '2026-01-01 00:00:00Z',
    '2026-01-01T00:00:00.Z',
    '2026-01-01T00:00:00+0100',
    '2026-01-01T00:00:00Zx',
    '2026-01-01T00:00:00+24:00',
    '2026-01-01T00:00:00+01:60',
    '2026-13-01T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-02-29T00:00:00Z',
    '2026-01-32T00:00:00Z',
    '2026-01-00T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01T00:60:00Z',
    '2026-01-01T00:00:60Z',
  ];
  for (const text of bad)
    assert.throws(() => parseGoTime(text), { code: 'repository.damaged' }, String(text));
});
