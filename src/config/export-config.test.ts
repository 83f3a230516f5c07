import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Configuration } from './configuration.ts';
import { exportConfig } from './export-config.ts';
import { readConfig } from './read-config.ts';

const nowMs = Date.parse('2026-11-24T12:00:00Z');

function configurationFrom(text: string): Configuration {
  const { configuration, faults } = readConfig(text, { nowMs });
  assert.deepEqual(faults, []);
  return configuration!;
}

const previous = `# ours
version: 1
x-night: &night
  daily: "02:30" # when nobody works
  zone: Europe/Paris
repositories:
  # in the cellar
  nas: { location: /srv/a, password: file:/etc/secret } # the only one
sources:
  home: { kind: files, paths: [/home] }
plans:
  # every night
  shop:
    kind: backup
    sources: [home]
    repositories: [nas]
    schedule: *night
    keep: { daily: 7 } # a week
  other:
    sources: [home]
    repositories: [nas]
    schedule:
      <<: *night
      jitter: 5min
`;

/** Lines that an edit of the exported things takes away and brings. */
function linesChanged(edit: (plans: Record<string, Record<string, unknown>>) => void): string[] {
  const configuration = structuredClone(configurationFrom(previous));
  edit(configuration.plans as never);
  const exported = exportConfig(configuration, previous);
  assert.deepEqual(configurationFrom(exported), configuration);
  const [before, after] = [previous.split('\n'), exported.split('\n')];
  // The library moves an anchor below the comment that follows it.
  const isMoved = (line: string) => line.includes('&night') || line === 'x-night:';
  return [
    ...before.filter((line) => !after.includes(line) && !isMoved(line)).map((line) => `-${line}`),
    ...after.filter((line) => !before.includes(line) && !isMoved(line)).map((line) => `+${line}`),
  ];
}

test('what did not change comes back letter by letter', () => {
  assert.equal(exportConfig(configurationFrom(previous), previous), previous);
});

test('only the value that changed is written anew, its comment stays', () => {
  const lines = linesChanged(({ shop }) => {
    shop!.keep = { daily: 14 };
  });
  assert.deepEqual(lines, ['-    keep: { daily: 7 } # a week', '+    keep: { daily: 14 } # a week']);
});

test('an alias stays while it says what is wanted, and gives way when not', () => {
  const lines = linesChanged(({ shop }) => {
    shop!.schedule = { daily: '04:00', zone: 'Europe/Paris' };
  });
  assert.ok(lines.includes('-    schedule: *night'));
  assert.ok(lines.includes('+      daily: "04:00"'));
});

test('members that came by a merge key can change, and go', () => {
  assert.deepEqual(
    linesChanged(({ other }) => {
      other!.schedule = { daily: '02:30', zone: 'Europe/Paris', jitter: '9min' };
    }),
    ['-      jitter: 5min', '+      jitter: 9min'],
  );
  assert.ok(
    linesChanged(({ other }) => {
      other!.schedule = { daily: '02:30', jitter: '5min' };
    }).includes('-      <<: *night'),
  );
});

test('what is gone goes with its comment, what is new comes last', () => {
  const lines = linesChanged((plans) => {
    delete plans.shop;
    plans.third = { kind: 'self', schedule: { hourly: 5 } };
  });
  assert.ok(lines.includes('-  shop:') && lines.includes('+  third:') && lines.includes('+    kind: self'));
});

test('without a text before it, a file is in the order of the schema, with secrets as references', () => {
  assert.equal(
    exportConfig(configurationFrom(previous)),
    `version: 1

repositories:
  nas:
    location: /srv/a
    password: file:/etc/secret

sources:
  home:
    kind: files
    paths:
      - /home

plans:
  shop:
    schedule:
      daily: "02:30"
      zone: Europe/Paris
    sources:
      - home
    repositories:
      - nas
    keep:
      daily: 7

  other:
    schedule:
      daily: "02:30"
      zone: Europe/Paris
      jitter: 5min
    sources:
      - home
    repositories:
      - nas
`,
  );
});

test('an empty configuration is a version', () => {
  assert.equal(exportConfig(configurationFrom('version: 1\n')), 'version: 1\n');
});

test('refuses to write over a text that it cannot read', () => {
  assert.throws(() => exportConfig(configurationFrom(previous), 'a: ['), { code: 'config.invalid' });
});
