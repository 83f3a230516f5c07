import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { decideRetention, type GroupDecision } from './decide.ts';
import { parseDuration } from './duration.ts';
import { type GroupBy, parseGroupBy } from './group.ts';
import type { RetentionPolicy } from './policy.ts';
import type { RetentionSnapshot } from './snapshot.ts';

interface Vectors {
  now: number;
  snapshots: [time: string, hostname: string, tags: string[]][];
  cases: { policy: string; groups: { keep: [number, ...string[]][]; forget: number[] }[] }[];
}

const nowMs = Date.UTC(2026, 5, 1);

function snapshotAt(time: string, more: Partial<RetentionSnapshot> = {}): RetentionSnapshot {
  const zone = /([+-])(\d\d):(\d\d)$/.exec(time);
  const minutes = zone ? Number(zone[2]) * 60 + Number(zone[3]) : 0;
  return {
    id: time,
    timeNs: BigInt(Date.parse(time)) * 1_000_000n,
    utcOffsetMinutes: zone?.[1] === '-' ? -minutes : minutes,
    hostname: 'alpha',
    paths: ['/data'],
    tags: [],
    ...more,
  };
}

/** The options of restic's command line as a policy. */
function policyOf(text: string): { policy: RetentionPolicy; groupBy: GroupBy[] } {
  const words = text.split(' ');
  const policy: Record<string, unknown> = {};
  let groupBy: GroupBy[] = ['host', 'paths'];
  for (let i = 0; i < words.length; i += 2) {
    const option = words[i]!.replace('--keep-', '').replace(/-(.)/g, (_, letter: string) =>
      letter.toUpperCase(),
    );
    const value = words[i + 1]!;
    if (words[i] === '--group-by') groupBy = parseGroupBy(value);
    else if (option === 'tag') policy.tags = [value.split(',')];
    else if (option.startsWith('within')) policy[option] = parseDuration(value);
    else policy[option] = value === 'unlimited' ? -1 : Number(value);
  }
  return { policy, groupBy };
}

/** Kept and dropped snapshots by number, with the reasons, as restic's answer. */
function asAnswer(groups: GroupDecision<RetentionSnapshot>[]) {
  const numbered = groups.map(({ keep, forget }) => ({
    keep: keep.map(({ snapshot, reasons }) => [Number(snapshot.id), ...reasons]),
    forget: forget.map(({ id }) => Number(id)),
  }));
  return sortGroups(numbered);
}

function sortGroups<Group>(groups: Group[]): Group[] {
  return groups
    .map((group) => JSON.stringify(group))
    .sort()
    .map((text) => JSON.parse(text) as Group);
}

function vectorsOf(version: string): Vectors {
  const file = join(import.meta.dirname, `../../test/vectors/retention/restic-${version}.json`);
  return JSON.parse(readFileSync(file, 'utf8')) as Vectors;
}

for (const version of ['0.19', '0.14']) {
  const { now, snapshots, cases } = vectorsOf(version);
  const list = snapshots.map(([time, hostname, tags], i) =>
    snapshotAt(time, { id: String(i), hostname, tags }),
  );
  for (const { policy: text, groups } of cases) {
    test(`decides as restic ${version}: ${text}`, () => {
      const { policy, groupBy } = policyOf(text);
      const decided = decideRetention(list, policy, { nowMs: now * 1000, groupBy });
      const answer = asAnswer(version === '0.14' ? decided.map(withoutOldest) : decided);
      assert.deepEqual(answer, sortGroups(groups));
    });
  }
}

/** restic 0.14 did not yet keep the oldest snapshot of a group while a rule has count left. */
function withoutOldest(group: GroupDecision<RetentionSnapshot>): GroupDecision<RetentionSnapshot> {
  const decisions = group.keep.map(({ snapshot, reasons }) => ({
    snapshot,
    reasons: reasons.filter((reason) => !reason.startsWith('oldest ')),
  }));
  const dropped = decisions.filter(({ reasons }) => reasons.length === 0).map(({ snapshot }) => snapshot);
  return {
    key: group.key,
    keep: decisions.filter(({ reasons }) => reasons.length > 0),
    forget: [...group.forget, ...dropped],
  };
}

test('refuses an empty policy', () => {
  for (const policy of [{}, { last: 0 }, { within: parseDuration('0d') }, { tags: [] }]) {
    assert.throws(() => decideRetention([], policy, { nowMs }), {
      code: 'retention.empty-policy',
      exitCode: 2,
    });
  }
});

test('refuses counts that make no sense', () => {
  for (const last of [-2, 1.5, Number.NaN])
    assert.throws(() => decideRetention([], { last }, { nowMs }), { code: 'retention.policy' });
});

test('never drops the last snapshot of a group', () => {
  const snapshots = [snapshotAt('2026-01-01T00:00:00Z'), snapshotAt('2026-01-02T00:00:00Z')];
  const [group] = decideRetention(snapshots, { tags: [['nobody-has-it']] }, { nowMs });
  assert.deepEqual(group!.keep, [{ snapshot: snapshots[1], reasons: ['last one of its group'] }]);
  assert.deepEqual(group!.forget, [snapshots[0]]);
});

test('drops nothing by age when every snapshot is in the future', () => {
  const snapshots = [snapshotAt('2030-01-01T00:00:00Z'), snapshotAt('2031-01-02T00:00:00Z')];
  const [group] = decideRetention(snapshots, { within: parseDuration('1d') }, { nowMs });
  assert.equal(group!.forget.length, 0);
});

test('counts hours and days in the zone of the snapshot', () => {
  const evening = snapshotAt('2026-01-01T23:30:00-05:00');
  const noon = snapshotAt('2026-01-01T12:00:00-05:00');
  assert.equal(evening.timeNs, BigInt(Date.UTC(2026, 0, 2, 4, 30)) * 1_000_000n);
  const [group] = decideRetention(
    [noon, evening, snapshotAt('2020-01-01T00:00:00Z')],
    { daily: 2 },
    { nowMs },
  );
  assert.deepEqual(group!.forget, [noon]);
});

test('groups by name, and snapshots without one together', () => {
  const tagged = (id: string, ...tags: string[]) => snapshotAt('2026-01-01T00:00:00Z', { id, tags });
  const groups = decideRetention(
    [tagged('1', 'name=shop', 'job=1'), tagged('2', 'name=shop'), tagged('3'), tagged('4', 'other')],
    { last: 1 },
    { nowMs, groupBy: ['name'] },
  );
  assert.deepEqual(
    groups.map(({ key }) => key),
    [{ name: 'shop' }, { name: '' }],
  );
  assert.deepEqual(
    groups.map(({ forget }) => forget.map(({ id }) => id)),
    [['2'], ['4']],
  );
});

test('an empty tag means a snapshot without tags', () => {
  const snapshots = [
    snapshotAt('2026-01-01T00:00:00Z'),
    snapshotAt('2026-01-02T00:00:00Z', { tags: ['a'] }),
    snapshotAt('2026-01-03T00:00:00Z', { tags: ['a', 'b'] }),
  ];
  const keptBy = (tags: string[][]) =>
    decideRetention(snapshots, { tags }, { nowMs })[0]!.keep.map(({ snapshot }) => snapshot.id.slice(0, 10));
  assert.deepEqual(keptBy([['']]), ['2026-01-01']);
  assert.deepEqual(keptBy([['a', 'b'], ['']]), ['2026-01-03', '2026-01-01']);
});

test('refuses an unknown way to group', () => {
  assert.throws(() => parseGroupBy('host,colour'), { code: 'retention.policy' });
});

test('a group keeps its last whole snapshot, however many came after it with something lost', () => {
  const partial = { summary: { filesLost: 2 } };
  const list = [
    snapshotAt('2026-05-01T00:00:00Z'),
    snapshotAt('2026-05-02T00:00:00Z'),
    snapshotAt('2026-05-03T00:00:00Z', partial),
    snapshotAt('2026-05-04T00:00:00Z', partial),
  ];
  const [group] = decideRetention(list, { last: 1 }, { nowMs });
  assert.deepEqual(
    group!.keep.map(({ snapshot, reasons }) => [snapshot.id, ...reasons]),
    [
      ['2026-05-04T00:00:00Z', 'last snapshot'],
      ['2026-05-02T00:00:00Z', 'last whole one of its group'],
    ],
  );
  const [allPartial] = decideRetention(list.slice(2), { last: 1 }, { nowMs });
  assert.equal(allPartial!.keep.length, 1);
});
