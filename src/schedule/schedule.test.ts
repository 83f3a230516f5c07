import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Schedule } from '#contract';
import { describeSchedule } from './describe.ts';
import { latenessOf } from './objective.ts';
import { type Due, type Timetable, timetableOf } from './timetable.ts';

const ms = (time: string) => Date.parse(time);
const minuteMs = 60_000;

function open(schedule: unknown, seed = 'shop'): Timetable {
  return timetableOf(Schedule.parse(schedule), { seed });
}

/** The next starts, in UTC without seconds. */
function starts(schedule: unknown, after: string, count = 4): string[] {
  return open(schedule)
    .next(count, ms(after))
    .map((time) => new Date(time).toISOString().replace(':00.000Z', 'Z'));
}

function dueAt(schedule: unknown, last: string, now: string): Due | undefined {
  return open(schedule).due({ lastMs: ms(last), nowMs: ms(now) });
}

const paris = { zone: 'Europe/Paris' };
const sydney = { zone: 'Australia/Sydney' };

const rhythms: [name: string, schedule: object, after: string, expected: string[]][] = [
  [
    'every 20 minutes',
    { every: '20min' },
    '2026-11-24T10:00:00Z',
    ['2026-11-24T10:20Z', '2026-11-24T10:40Z', '2026-11-24T11:00Z', '2026-11-24T11:20Z'],
  ],
  [
    'every 6 hours of the zone',
    { every: '6h', ...paris },
    '2026-11-24T10:00:00Z',
    ['2026-11-24T11:00Z', '2026-11-24T17:00Z', '2026-11-24T23:00Z', '2026-11-25T05:00Z'],
  ],
  [
    'hourly, where the zone has half hours',
    { hourly: 15, zone: 'Asia/Kolkata' },
    '2026-11-24T10:00:00Z',
    ['2026-11-24T10:45Z', '2026-11-24T11:45Z', '2026-11-24T12:45Z', '2026-11-24T13:45Z'],
  ],
  [
    'twice a day',
    { daily: ['14:30', '02:30'] },
    '2026-11-24T02:30:00Z',
    ['2026-11-24T14:30Z', '2026-11-25T02:30Z', '2026-11-25T14:30Z', '2026-11-26T02:30Z'],
  ],
  [
    'weekly',
    { weekly: ['Sun 03:00', 'Wed 12:00'] },
    '2026-11-24T00:00:00Z',
    ['2026-11-25T12:00Z', '2026-11-29T03:00Z', '2026-12-02T12:00Z', '2026-12-06T03:00Z'],
  ],
  [
    'monthly, on a day that not every month has, and on the last',
    { monthly: ['31 03:00', 'last 22:00'] },
    '2026-01-31T12:00:00Z',
    ['2026-01-31T22:00Z', '2026-02-28T22:00Z', '2026-03-31T03:00Z', '2026-03-31T22:00Z'],
  ],
  [
    'cron',
    { cron: '30 2 * * 1-5' },
    '2026-11-27T12:00:00Z',
    ['2026-11-30T02:30Z', '2026-12-01T02:30Z', '2026-12-02T02:30Z', '2026-12-03T02:30Z'],
  ],
  [
    'Paris, clocks go forward: 02:30 is not there and becomes 03:00',
    { daily: '02:30', ...paris },
    '2026-03-28T00:00:00Z',
    ['2026-03-28T01:30Z', '2026-03-29T01:00Z', '2026-03-30T00:30Z', '2026-03-31T00:30Z'],
  ],
  [
    'Paris, clocks go forward: no time of a list is lost',
    { daily: ['02:30', '03:30'], ...paris },
    '2026-03-28T12:00:00Z',
    ['2026-03-29T01:00Z', '2026-03-29T01:30Z', '2026-03-30T00:30Z', '2026-03-30T01:30Z'],
  ],
  [
    'Paris, clocks go back: 02:30 is there twice and runs once',
    { daily: '02:30', ...paris },
    '2026-10-24T00:00:00Z',
    ['2026-10-24T00:30Z', '2026-10-25T00:30Z', '2026-10-26T01:30Z', '2026-10-27T01:30Z'],
  ],
  [
    'Paris, clocks go back: each real hour has its run',
    { hourly: 15, ...paris },
    '2026-10-24T23:30:00Z',
    ['2026-10-25T00:15Z', '2026-10-25T01:15Z', '2026-10-25T02:15Z', '2026-10-25T03:15Z'],
  ],
  [
    'Paris, clocks go forward: no real hour is left out',
    { hourly: 15, ...paris },
    '2026-03-28T23:30:00Z',
    ['2026-03-29T00:15Z', '2026-03-29T01:15Z', '2026-03-29T02:15Z', '2026-03-29T03:15Z'],
  ],
  [
    'Sydney, clocks go forward in October',
    { daily: '02:30', ...sydney },
    '2026-10-02T20:00:00Z',
    ['2026-10-03T16:00Z', '2026-10-04T15:30Z', '2026-10-05T15:30Z', '2026-10-06T15:30Z'],
  ],
  [
    'Sydney, clocks go back in April',
    { daily: '02:30', ...sydney },
    '2026-04-03T14:00:00Z',
    ['2026-04-03T15:30Z', '2026-04-04T15:30Z', '2026-04-05T16:30Z', '2026-04-06T16:30Z'],
  ],
  [
    'Santiago, where midnight itself is not there',
    { daily: '00:00', zone: 'America/Santiago' },
    '2026-09-05T12:00:00Z',
    ['2026-09-06T04:00Z', '2026-09-07T03:00Z', '2026-09-08T03:00Z', '2026-09-09T03:00Z'],
  ],
];

for (const [name, schedule, after, expected] of rhythms)
  test(name, () => assert.deepEqual(starts(schedule, after), expected));

test('looking back finds the same slots as looking ahead, around changes of clocks', () => {
  const changes = [
    ['Europe/Paris', '2026-03-27T12:00:00Z'],
    ['Europe/Paris', '2026-10-23T12:00:00Z'],
    ['Australia/Sydney', '2026-04-03T00:00:00Z'],
    ['America/Santiago', '2026-09-04T12:00:00Z'],
    ['Australia/Lord_Howe', '2026-10-02T00:00:00Z'],
  ] as const;
  for (const [zone, from] of changes)
    for (const schedule of [{ daily: ['02:30', '00:00'] }, { cron: '15 */3 * * *' }, { every: '30min' }]) {
      const table = open({ ...schedule, zone });
      const ahead = [ms(from), ...table.next('every' in schedule ? 120 : 30, ms(from))];
      for (const [i, slotMs] of ahead.entries()) {
        if (i === 0) continue;
        const due = table.due({ lastMs: ahead[i - 1]!, nowMs: slotMs });
        const expected = { slotMs, verdict: 'run', startsAtMs: slotMs, missedCount: 0 };
        assert.deepEqual(due, expected, `${zone} ${new Date(slotMs).toISOString()}`);
      }
    }
});

test('refuses a cron pattern that is none, and knows one that never comes', () => {
  for (const cron of ['61 * * * *', 'a b c d e', '0 25 * * *'])
    assert.throws(() => open({ cron }), { code: 'schedule.cron', exitCode: 2 }, cron);
  assert.equal(open({ cron: '0 0 31 2 *' }).after(ms('2026-01-01T00:00:00Z')), undefined);
});

test('jitter spreads plans apart, and each plan starts always at the same time', () => {
  const at = (seed: string) =>
    open({ daily: '02:00', jitter: '1h' }, seed).after(ms('2026-11-24T00:00:00Z'))!;
  const earliest = ms('2026-11-24T02:00:00Z');
  const offsets = Array.from({ length: 200 }, (_, i) => at(`plan-${i}`) - earliest);
  assert.ok(offsets.every((offset) => offset >= 0 && offset <= 60 * minuteMs));
  const quarters = new Set(offsets.map((offset) => Math.floor(offset / (15 * minuteMs))));
  assert.ok(quarters.size >= 4);
  assert.equal(at('plan-7'), at('plan-7'));
});

test('what falls outside of a window starts when it opens, once', () => {
  const windows = [{ from: '22:00', to: '05:00' }];
  assert.deepEqual(starts({ daily: '12:00', windows }, '2026-11-24T00:00:00Z', 2), [
    '2026-11-24T22:00Z',
    '2026-11-25T22:00Z',
  ]);
  assert.deepEqual(starts({ every: '6h', windows }, '2026-11-24T00:30:00Z'), [
    '2026-11-24T22:00Z',
    '2026-11-25T00:00Z',
    '2026-11-25T22:00Z',
    '2026-11-26T00:00Z',
  ]);
  assert.deepEqual(
    starts(
      { daily: '12:00', windows: [{ days: ['Sat'], from: '10:00', to: '11:00' }] },
      '2026-11-24T00:00:00Z',
      2,
    ),
    ['2026-11-28T10:00Z', '2026-12-05T10:00Z'],
  );
});

test('nothing starts in a blackout, of each week or once', () => {
  const weekly = { days: ['Mon', 'Tue', 'Wed', 'Thu', 'Fri'], from: '08:00', to: '18:00' };
  const once = { from: '2026-11-28T00:00:00Z', to: '2026-11-30T00:00:00Z' };
  assert.deepEqual(starts({ every: '12h', blackouts: [weekly, once] }, '2026-11-27T10:00:00Z', 3), [
    '2026-11-27T18:00Z',
    '2026-11-30T00:00Z',
    '2026-11-30T18:00Z',
  ]);
  const always = { from: '00:00', to: '00:00' };
  assert.equal(open({ daily: '02:00', blackouts: [always] }).after(ms('2026-11-24T00:00:00Z')), undefined);
});

test('jitter never leads out of a window', () => {
  const windows = [{ from: '02:00', to: '02:10' }];
  for (let i = 0; i < 50; i++) {
    const start = open({ daily: '02:05', jitter: '1h', windows }, `plan-${i}`).after(
      ms('2026-11-24T00:00:00Z'),
    )!;
    assert.ok(start >= ms('2026-11-24T02:05:00Z') && start <= ms('2026-11-24T02:09:00Z'));
  }
});

test('starts follow each other, whatever windows and jitter do', () => {
  for (const jitter of ['7min', '2h'])
    for (const windows of [
      undefined,
      [
        { from: '22:00', to: '05:00' },
        { from: '04:00', to: '06:30' },
      ],
    ]) {
      const table = open({ every: '5min', jitter, ...(windows && { windows }) });
      const list = table.next(120, ms('2026-11-24T00:00:00Z'));
      assert.equal(list.length, 120);
      assert.deepEqual(list, [...new Set(list)].sort());
    }
});

test('on time is a run', () => {
  const daily = { daily: '02:30' };
  assert.equal(dueAt(daily, '2026-11-23T02:30:00Z', '2026-11-24T02:29:59Z'), undefined);
  assert.deepEqual(dueAt(daily, '2026-11-23T02:30:00Z', '2026-11-24T02:30:40Z'), {
    slotMs: ms('2026-11-24T02:30:00Z'),
    verdict: 'run',
    startsAtMs: ms('2026-11-24T02:30:00Z'),
    missedCount: 0,
  });
  assert.equal(dueAt(daily, '2026-11-24T02:30:00Z', '2026-11-24T02:31:00Z'), undefined);
});

test('missed runs are caught up by one, and counted', () => {
  const due = dueAt({ daily: '02:30' }, '2026-11-20T02:30:00Z', '2026-11-24T10:00:00Z')!;
  assert.deepEqual(due, {
    slotMs: ms('2026-11-24T02:30:00Z'),
    verdict: 'catch-up',
    startsAtMs: ms('2026-11-24T02:30:00Z'),
    missedCount: 4,
  });
  const after = { lastMs: due.slotMs, nowMs: ms('2026-11-24T10:00:01Z') };
  assert.equal(open({ daily: '02:30' }).due(after), undefined);
  const back = dueAt({ daily: '02:30' }, '2026-11-20T02:30:00Z', '2026-11-24T02:30:05Z');
  assert.deepEqual([back?.verdict, back?.missedCount], ['run', 3]);
});

test('missed runs are only reported where that is wished', () => {
  const due = dueAt({ daily: '02:30', missed: 'report' }, '2026-11-22T02:30:00Z', '2026-11-24T10:00:00Z');
  assert.deepEqual([due?.verdict, due?.missedCount], ['report', 2]);
});

test('years without a run are counted up to a limit', () => {
  const due = dueAt({ every: '10min' }, '2020-01-01T00:00:00Z', '2026-11-24T10:00:00Z');
  assert.deepEqual([due?.verdict, due?.missedCount], ['run', 1000]);
});

test('a clock that was put back makes nothing due', () => {
  assert.equal(dueAt({ daily: '02:30' }, '2026-11-24T02:30:00Z', '2026-11-23T02:31:00Z'), undefined);
});

test('a clock that jumped a day ahead makes one run due, not many', () => {
  const due = dueAt({ hourly: 0 }, '2026-11-24T10:00:00Z', '2026-11-25T10:30:00Z');
  assert.deepEqual([due?.verdict, due?.missedCount], ['catch-up', 24]);
});

test('a missed run waits for the window, and is still one run', () => {
  const nightly = { daily: '02:30', windows: [{ from: '22:00', to: '05:00' }] };
  const waiting = dueAt(nightly, '2026-11-22T02:30:00Z', '2026-11-24T10:00:00Z');
  assert.deepEqual([waiting?.verdict, waiting?.startsAtMs], ['wait', ms('2026-11-24T22:00:00Z')]);
  const opened = dueAt(nightly, '2026-11-22T02:30:00Z', '2026-11-24T22:00:10Z');
  assert.deepEqual([opened?.verdict, opened?.missedCount], ['catch-up', 2]);
});

test('a slot waits for its jitter, and the one before it is not forgotten', () => {
  const schedule = { every: '5min', jitter: '12min' };
  const table = open(schedule);
  let lastMs = ms('2026-11-24T10:00:00Z');
  const runs: number[] = [];
  for (let nowMs = lastMs; nowMs < ms('2026-11-24T11:00:00Z'); nowMs += 10_000) {
    const due = table.due({ lastMs, nowMs });
    if (!due || due.verdict === 'wait') continue;
    assert.equal(due.verdict, 'run');
    assert.equal(due.missedCount, 0);
    runs.push(due.slotMs);
    lastMs = due.slotMs;
  }
  assert.ok(runs.length >= 9);
  assert.ok(runs.every((slot, i) => i === 0 || slot - runs[i - 1]! === 5 * minuteMs));
});

test('what was shown as next runs is what runs, through windows, jitter and a change of clocks', () => {
  const schedule = {
    every: '30min',
    jitter: '20min',
    zone: 'Europe/Paris',
    windows: [
      { from: '22:15', to: '06:30' },
      { days: ['Sat', 'Sun'], from: '05:00', to: '09:45' },
    ],
    blackouts: [{ from: '01:00', to: '01:40' }],
  };
  const table = open(schedule);
  let lastMs = ms('2026-10-23T12:00:00Z');
  const shown = table.next(60, lastMs);
  assert.ok(shown.at(-1)! > ms('2026-10-25T12:00:00Z'));
  for (const startMs of shown) {
    assert.notEqual(table.due({ lastMs, nowMs: startMs - 1000 })?.verdict, 'run');
    const due = table.due({ lastMs, nowMs: startMs });
    assert.deepEqual([due?.verdict, due?.startsAtMs, due?.missedCount], ['run', startMs, 0]);
    lastMs = due!.slotMs;
  }
});

test('an objective is missed from its own minute on, whatever ran or failed', () => {
  const times = { newestMs: ms('2026-11-23T02:30:00Z'), plannedMs: ms('2026-01-01T00:00:00Z') };
  const deadlineMs = ms('2026-11-24T04:30:00Z');
  assert.deepEqual(latenessOf('26h', { ...times, nowMs: deadlineMs }), { isLate: false, deadlineMs });
  assert.deepEqual(latenessOf('26h', { ...times, nowMs: deadlineMs + 1 }), { isLate: true, deadlineMs });
  const never = { newestMs: undefined, plannedMs: ms('2026-11-24T00:00:00Z') };
  assert.equal(latenessOf('26h', { ...never, nowMs: ms('2026-11-25T01:00:00Z') }).isLate, false);
  assert.equal(latenessOf('26h', { ...never, nowMs: ms('2026-11-25T03:00:00Z') }).isLate, true);
});

test('tells a schedule in words', () => {
  const words: [object, string][] = [
    [
      { daily: '02:30', ...paris, jitter: '5min' },
      'Every day at 02:30 (Europe/Paris), spread by up to 5 min. One run makes up for missed ones.',
    ],
    [
      { weekly: ['Sun 03:00', 'Wed 12:00'], missed: 'report' },
      'Every Sunday at 03:00 and Wednesday at 12:00 (UTC). A missed run is reported.',
    ],
    [
      { monthly: ['1 03:00', 'last 22:00'] },
      'Every month on day 1 at 03:00 and on the last day at 22:00 (UTC). One run makes up for missed ones.',
    ],
    [
      { every: '10min', windows: [{ days: ['Mon', 'Tue'], from: '22:00', to: '05:00' }] },
      'Every 10 min (UTC), only from 22:00 to 05:00 on Monday and Tuesday. One run makes up for missed ones.',
    ],
    [
      { hourly: 5, blackouts: [{ from: '08:00', to: '09:00' }] },
      'Every hour at minute 5 (UTC), not from 08:00 to 09:00. One run makes up for missed ones.',
    ],
    [{ cron: '30 2 * * 1-5' }, 'By cron 30 2 * * 1-5 (UTC). One run makes up for missed ones.'],
  ];
  for (const [schedule, text] of words) assert.equal(describeSchedule(Schedule.parse(schedule)), text);
});
