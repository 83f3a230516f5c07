import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { changesBetween, configurationOfItems, itemsOf } from './changes.ts';
import { exportConfig } from './export-config.ts';
import { outlineOf } from './outline.ts';
import { readConfig } from './read-config.ts';

const root = resolve(import.meta.dirname, '../..');
const nowMs = Date.parse('2026-11-24T12:00:00Z');
const files = globSync('docs/guide/examples/*.yaml', { cwd: root }).sort();

test('there are twelve examples', () => assert.equal(files.length, 12));

for (const file of files) {
  const text = readFileSync(join(root, file), 'utf8');

  test(`${file} is right, and says when it runs`, () => {
    const { configuration, faults } = readConfig(text, { nowMs });
    assert.deepEqual(faults, []);
    assert.ok(configuration && Object.keys(configuration.plans).length > 0);
    for (const plan of outlineOf(configuration, { nowMs }))
      assert.equal(plan.nextRuns.length, plan.schedule === 'By hand.' ? 0 : 5, plan.name);
  });

  test(`${file} is commented, and comes back from an export as it was`, () => {
    const { configuration } = readConfig(text, { nowMs });
    assert.ok(text.split('\n').filter((line) => /^\s*#/.test(line)).length >= 2);
    const exported = exportConfig(configuration!, text);
    const comments = (source: string) => source.match(/# .*/g);
    assert.deepEqual(comments(exported), comments(text));
    assert.deepEqual(parse(exported, { merge: true }), parse(text, { merge: true }));
    const fresh = readConfig(exportConfig(configuration!), { nowMs });
    assert.deepEqual(fresh.faults, []);
    assert.deepEqual(fresh.configuration, configuration);
    assert.deepEqual(configurationOfItems(itemsOf(configuration!)), configuration);
    const existing = itemsOf(configuration!).map((item) => ({ ...item, isFromFile: true }));
    assert.deepEqual(changesBetween(existing, fresh.configuration!, { nowMs }), { changes: [], faults: [] });
  });
}
