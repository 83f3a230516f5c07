import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { holdfast, jsonLines } from '../command/holdfast.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-config-command-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const text = `version: 1
# kept on the shelf
repositories: { usb: { location: /mnt/usb, password: env:USB_PASSWORD } }
sources: { home: { kind: files, paths: [/home] } }
plans:
  nightly: { sources: [home], repositories: [usb], schedule: { daily: "02:30" } }
`;
const good = join(folder, 'holdfast.yaml');
writeFileSync(good, text);
const bad = join(folder, 'bad.yaml');
writeFileSync(bad, text.replace('repositories: [usb]', 'repositorys: [usb]').replace('02:30', '2:30'));

test('tells every fault with its place, and exits as for wrong usage', () => {
  const { status, stdout } = holdfast(['config', 'validate', bad]);
  assert.equal(status, 2);
  assert.ok(
    stdout.includes(
      `${bad}:6:31: plans.nightly.repositorys: unknown key 'repositorys'\n    hint: Did you mean repositories?\n`,
    ),
    stdout,
  );
  const faults = jsonLines(holdfast(['config', 'validate', bad, '--json']).stdout);
  assert.deepEqual(
    faults.map(({ message_type, path, line }) => [message_type, path, line]),
    [
      ['fault', 'plans.nightly.repositories', 6],
      ['fault', 'plans.nightly.repositorys', 6],
      ['fault', 'plans.nightly.schedule.daily', 6],
    ],
  );
});

test('finds the file by itself, shows the next runs, and exports without the secret', () => {
  const env = { USB_PASSWORD: 'CANARY', TZ: 'UTC' };
  const shown = holdfast(['config', 'show'], { cwd: folder, env });
  assert.equal(shown.status, 0, shown.stderr);
  assert.match(
    shown.stdout,
    /^nightly \(backup\): home → usb\n {2}Every day at 02:30 \(UTC\)\..*\n( {2}next .* 02:30:00\n){5}/m,
  );
  const exported = holdfast(['config', 'export'], { env: { ...env, HOLDFAST_CONFIG: good } });
  assert.equal(exported.stdout, text);
  const [json] = jsonLines(holdfast(['config', 'export', good, '--json'], { env }).stdout);
  assert.deepEqual(json?.repositories, { usb: { location: '/mnt/usb', password: 'env:USB_PASSWORD' } });
});

test('tells what differs between two files, and refuses one with faults', () => {
  const other = join(folder, 'other.yaml');
  writeFileSync(other, text.replace('"02:30"', '"03:30"').replaceAll('usb', 'disk'));
  const { status, stdout } = holdfast(['config', 'diff', good, other]);
  assert.equal(status, 0);
  assert.equal(
    stdout,
    [
      '+ repository disk',
      '~ plan nightly',
      '    schedule.daily: "02:30" → "03:30"',
      '    repositories: ["usb"] → ["disk"]',
      '- repository usb\n',
    ].join('\n'),
  );
  const refused = holdfast(['config', 'diff', good, bad]);
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /bad\.yaml:6:\d+: .*\n.*holdfast config validate/);
});
