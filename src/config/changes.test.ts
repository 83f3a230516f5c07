import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changesBetween, describeChanges, type Existing, itemsOf } from './changes.ts';
import type { Configuration } from './configuration.ts';
import { readConfig } from './read-config.ts';

const nowMs = Date.parse('2026-11-24T12:00:00Z');

function configurationFrom(text: string): Configuration {
  const { configuration, faults } = readConfig(`version: 1\n${text}`, { nowMs });
  assert.deepEqual(faults, []);
  return configuration!;
}

function existingFrom(text: string, isFromFile = true): Existing[] {
  return itemsOf(configurationFrom(text)).map((item) => ({ ...item, isFromFile }));
}

const repositories = 'repositories: { nas: { location: /srv/a, password: env:P } }';
const sources = 'sources: { home: { kind: files, paths: [/home] } }';
const plan = 'shop: { sources: [home], repositories: [nas], keep: { daily: 7 } }';
const whole = `${repositories}\n${sources}\nplans: { ${plan} }`;

test('what is new comes before what needs it, and what goes after what needed it', () => {
  const { changes } = changesBetween([], configurationFrom(`settings: { zone: UTC }\n${whole}`), { nowMs });
  const removal = changesBetween(existingFrom(whole), configurationFrom(''), { nowMs });
  assert.deepEqual(describeChanges(changes), [
    '+ settings',
    '+ repository nas',
    '+ source home',
    '+ plan shop',
  ]);
  assert.deepEqual(describeChanges(removal.changes), ['- plan shop', '- source home', '- repository nas']);
  assert.deepEqual([removal.faults, removal.changes[0]?.item.name], [[], 'shop']);
});

test('tells members that change, old and new', () => {
  const wanted = configurationFrom(
    whole.replace('{ daily: 7 }', '{ daily: 14, monthly: 6 }').replace('[/home]', '[/home, /etc]'),
  );
  const { changes } = changesBetween(existingFrom(`settings: { zone: UTC }\n${whole}`), wanted, { nowMs });
  assert.deepEqual(describeChanges(changes), [
    '~ settings',
    '    zone: "UTC" → none',
    '~ source home',
    '    paths: ["/home"] → ["/home","/etc"]',
    '~ plan shop',
    '    keep.daily: 7 → 14',
    '    keep.monthly: none → 6',
  ]);
});

test('the order of keys is no change', () => {
  const turned = configurationFrom(
    `${sources}\n${repositories}\nplans: { shop: { keep: { daily: 7 }, kind: backup, repositories: [nas], sources: [home] } }`,
  );
  assert.deepEqual(changesBetween(existingFrom(whole), turned, { nowMs }), { changes: [], faults: [] });
});

test('what was made in the dashboard stays, and is taken over when the file names it', () => {
  const made = existingFrom(whole, false);
  assert.deepEqual(changesBetween(made, configurationFrom(''), { nowMs }).changes, [
    { action: 'take-over', item: { section: 'settings', name: 'settings', spec: {} }, fields: [] },
  ]);
  const { changes } = changesBetween(made, configurationFrom(whole.replace('daily: 7', 'daily: 9')), {
    nowMs,
  });
  assert.deepEqual(describeChanges(changes).slice(-2), [
    '~ plan shop (made in the dashboard, the file’s from now on)',
    '    keep.daily: 7 → 9',
  ]);
});

test('refuses to take away what something in the dashboard needs', () => {
  const parts = existingFrom(`${repositories}\n${sources}`);
  const made = existingFrom(whole, false).filter(({ section }) => section === 'plans');
  const { faults } = changesBetween([...parts, ...made], configurationFrom(sources), { nowMs });
  assert.deepEqual(faults, [
    {
      path: 'plans.shop.repositories.0',
      message: "there is no 'nas' under repositories",
      hint: 'Add it under repositories.',
    },
  ]);
});
