import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-test-command-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the test command on one planted file. */
function runTestsOf(name: string, content: string) {
  const file = join(folder, name);
  writeFileSync(file, content);
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const script = join(import.meta.dirname, '../scripts/test.ts');
  const args = ['--conditions=src', '--disable-warning=ExperimentalWarning', script, file];
  return spawnSync(process.execPath, args, { encoding: 'utf8', env });
}

test('passes with tests that pass, and names the slowest', () => {
  const { status, stdout } = runTestsOf(
    'good.test.ts',
    `import { test } from 'node:test'; test('quick', () => {});`,
  );
  assert.equal(status, 0, stdout);
  assert.match(stdout, /^ℹ tests 1$/m);
  assert.match(stdout, /slowest:\n +\d\.\d s {2}\S*good\.test\.ts: quick\n/);
});

test('fails with a test that fails', () => {
  const text = `import { test } from 'node:test'; test('bad', () => { throw new Error('no'); });`;
  const { status, stdout } = runTestsOf('bad.test.ts', text);
  assert.equal(status, 1);
  assert.match(stdout, /^ℹ fail 1$/m);
});

test('fails with a file that does not load', () => {
  assert.equal(runTestsOf('broken.test.ts', `import './nowhere.ts';`).status, 1);
});

test('fails when no test ran', () => {
  const { status, stderr } = runTestsOf('empty.test.ts', 'export {};');
  assert.equal(status, 1);
  assert.match(stderr, /^npm test: no test ran in \S*empty\.test\.ts$/m);
});
