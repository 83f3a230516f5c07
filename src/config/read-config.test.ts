import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configJsonSchema } from './known-keys.ts';
import { readConfig } from './read-config.ts';

const nowMs = Date.parse('2026-11-24T12:00:00Z');
const head = `version: 1
repositories: { nas: { location: /srv/a, password: env:P }, far: { location: /srv/b, password: env:P } }
sources: { home: { kind: files, paths: [/home] }, www: { kind: files, paths: [/srv/www] } }
plans:
`;

/** `line:column path: message | hint` of each fault. */
function faultsOf(text: string): string[] {
  const { configuration, faults } = readConfig(text, { nowMs });
  assert.equal(configuration === undefined, faults.length > 0);
  return faults.map(
    ({ line, column, path, message, hint }) =>
      `${line}:${column} ${path}: ${message}${hint ? ` | ${hint}` : ''}`,
  );
}

const wrong: [name: string, text: string, faults: string[]][] = [
  ['an unknown section', 'version: 1\nplan: {}\n', ["2:1 plan: unknown key 'plan' | Did you mean plans?"]],
  [
    'an unknown key where a thing has several kinds',
    'version: 1\nsources:\n  home:\n    kind: files\n    paths: [/home]\n    colections: 3\n',
    [
      "6:5 sources.home.colections: unknown key 'colections' | Use one of: description, exclude, excludeCaches, excludeIfPresent, excludeLargerThan, gitignore, kind, labels, oneFileSystem, paths.",
    ],
  ],
  [
    'an unknown key deep inside of a form that could be a name',
    `${head}  a:\n    sources: [home]\n    repositories:\n      - repository: nas\n        keep: { dayly: 7 }\n`,
    ["9:17 plans.a.repositories.0.keep.dayly: unknown key 'dayly' | Did you mean daily?"],
  ],
  [
    'what is missing, at the thing that lacks it',
    `${head}  a:\n    sources: [home]\n`,
    ["5:3 plans.a.repositories: 'repositories' is missing | Add repositories: here."],
  ],
  [
    'another kind of value',
    `${head}  a: { sources: home, repositories: [nas], objective: 26 }\n`,
    [
      '5:17 plans.a.sources: a list is needed here, and this is a text | Write it in brackets: [one, two].',
      '5:55 plans.a.objective: a text is needed here, and this is a number | Put it in quotes.',
    ],
  ],
  [
    'a word that is not in the list',
    'version: 1\nsources: { db: { kind: mongod, url: env:U } }\n',
    ['2:24 sources.db.kind: one of files, mongodb, bucket, command is needed here | Did you mean mongodb?'],
  ],
  [
    'a name that cannot be one',
    'version: 1\nsources:\n  My Files: { kind: files, paths: [/home] }\n',
    [
      "3:3 sources.My Files: 'My Files' cannot be a name | Use small letters, digits, and - . _ between them, at most 63.",
    ],
  ],
  [
    'counts that keep nothing, and empty lists',
    `${head}  a: { sources: [], repositories: [nas], keep: { daily: 0 } }\n`,
    [
      '5:8 plans.a.sources: at least 1 item must be given here',
      '5:57 plans.a.keep.daily: at least 1 must be given here',
    ],
  ],
  [
    'names that lead nowhere, and names twice',
    `${head}  a:\n    sources: [hme, www, www]\n    repositories: [nas, { repository: fra }]\n    notify: [ops]\n`,
    [
      "6:15 plans.a.sources.0: there is no 'hme' under sources | Did you mean home?",
      "6:25 plans.a.sources.2: 'www' stands here twice | Take one away.",
      "7:25 plans.a.repositories.1: there is no 'fra' under repositories | Did you mean far?",
      "8:14 plans.a.notify.0: there is no 'ops' under channels | Add it under channels.",
    ],
  ],
  [
    'a schedule that no clock shows, and one that is always closed',
    `${head}  a: { sources: [home], repositories: [nas], schedule: { cron: 61 * * * * } }
  b:
    sources: [home]
    repositories: [nas]
    schedule: { daily: "02:30", blackouts: [{ from: "00:00", to: "00:00" }] }
`,
    [
      "5:46 plans.a.schedule: '61 * * * *' is not a cron pattern: Invalid value for minute: 61 | Give minute, hour, day of month, month and day of week, such as 30 2 * * 1-5.",
      '9:5 plans.b.schedule: this schedule never runs | Look at its days, windows and blackouts.',
    ],
  ],
  [
    'copies into themselves and scratch places of strangers',
    `${head}  a: { kind: replicate, copy: { from: nas, to: [far, nas] } }
  b: { kind: replicate, mirror: { from: { location: /x }, to: { location: /x } } }
  c: { sources: [home], repositories: [nas], prove: { drill: { schedule: { hourly: 1 }, scratch: { www: env:U } } } }
`,
    [
      '5:44 plans.a.copy.to: this leads back to where it comes from | Name another place.',
      '6:59 plans.b.mirror.to: this leads back to where it comes from | Name another place.',
      "7:100 plans.c.prove.drill.scratch.www: 'www' is no source of this plan | Use one of: home.",
    ],
  ],
  [
    'two names of one repository',
    'version: 1\nrepositories:\n  a: { location: /srv/x, password: env:P }\n  b: { location: /srv/x/, password: env:P }\n',
    [
      "4:18 repositories.b.location: 'a' lies at this location already | Two names for one repository would each forget what the other keeps.",
    ],
  ],
  ['a text that is no YAML', 'version: 1\nplans: [a\n', []],
  [
    'a key twice',
    'version: 1\nversion: 1\n',
    ['2:1 : map keys must be unique | Give each key once; the second would hide the first.'],
  ],
  [
    'tabs',
    'version: 1\nplans:\n\ta: 1\n',
    ['3:1 : tabs are not allowed as indentation | Indent with spaces.'],
  ],
  [
    'an alias of nothing',
    'version: 1\nplans: *x\n',
    ['1:1 : unresolved alias (the anchor must be set before the alias): x'],
  ],
  ['an empty file', '', ["1:1 version: 'version' is missing | Add version: here."]],
  ['another version', 'version: 2\n', ['1:10 version: one of 1 is needed here | Use one of: 1.']],
  ['a list', '- a\n', ['1:1 : a map of keys is needed here, and this is a list']],
];

for (const [name, text, faults] of wrong)
  test(`tells with its place: ${name}`, () => {
    if (faults.length > 0) assert.deepEqual(faultsOf(text), faults);
    else assert.match(faultsOf(text).join(), /^\d:\d+ : /);
  });

test('never repeats a secret that was written where a reference belongs', () => {
  const canary = 'CANARYhunter2';
  const faults = faultsOf(`version: 1
repositories:
  a: { location: "s3:https://key:${canary}@host/bucket", password: ${canary}, s3: { style: ${canary} } }
sources:
  db: { kind: mongodb, url: "mongodb://me:${canary}@db/", password: [${canary}] }
channels:
  mail: { kind: ${canary}, password: 5 }
plans:
  a: { sources: [db], repositories: [a], schedule: { daily: ${canary} }, prove: { check: ${canary} } }
`);
  assert.ok(faults.length >= 7);
  assert.ok(!faults.join('\n').includes(canary), faults.join('\n'));
});

test('a bomb of aliases is refused', () => {
  const lines = ['version: 1', 'x-0: &x0 [a, a, a, a, a, a, a, a, a, a]'];
  for (let i = 1; i < 9; i++)
    lines.push(
      `x-${i}: &x${i} [${Array(10)
        .fill(`*x${i - 1}`)
        .join(', ')}]`,
    );
  assert.match(faultsOf(lines.join('\n'))[0]!, /excessive alias count/i);
});

test('a section in which everything is commented out is empty', () => {
  const { configuration } = readConfig('version: 1\nplans:\n  # a: {}\n', { nowMs });
  assert.deepEqual(configuration?.plans, {});
});

test('knows the line of each thing', () => {
  const { lineOf } = readConfig(`${head}  a: { sources: [home], repositories: [nas] }\n`, { nowMs });
  assert.deepEqual([lineOf('plans', 'a'), lineOf('sources', 'www'), lineOf('settings')], [5, 3, 1]);
});

test('a place behind an alias is where the alias leads', () => {
  const text =
    'version: 1\nx-keep: &keep\n  daily: 0\nplans:\n  a: { sources: [b], repositories: [c], keep: *keep }\n';
  assert.deepEqual(faultsOf(text), ['3:10 plans.a.keep.daily: at least 1 must be given here']);
});

test('the schema for editors knows every section, and says what things are', () => {
  const schema = configJsonSchema() as {
    required: string[];
    properties: object;
    $defs: Record<string, object>;
  };
  assert.deepEqual(schema.required, ['version']);
  assert.deepEqual(Object.keys(schema.properties), [
    'version',
    'settings',
    'repositories',
    'sources',
    'channels',
    'plans',
  ]);
  assert.match(JSON.stringify(schema.$defs.BackupPlan), /how old the newest good snapshot may be/);
});
