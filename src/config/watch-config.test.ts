import assert from 'node:assert/strict';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Clock } from '#base';
import { readConfigFile, watchConfig } from './watch-config.ts';

/** A clock that goes on only when it is told what happens meanwhile; after the last act, it ends the watch. */
function scriptedClock(acts: readonly (() => Promise<unknown>)[], end: AbortController): Clock {
  let next = 0;
  return {
    nowMs: () => Date.parse('2026-11-24T12:00:00Z'),
    monotonicMs: () => 0,
    sleep: async (_, { signal } = {}) => {
      const act = acts[next++];
      if (act) await act();
      else end.abort();
      signal?.throwIfAborted();
    },
  };
}

test('yields what a file says when it changes, and what is wrong in between', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-config-'));
  const path = join(folder, 'holdfast.yaml');
  const write = (zone: string) => () => writeFile(path, `version: 1\nsettings: { zone: ${zone} }\n`);
  const rest = async () => {};
  const replace = async () => {
    await writeFile(`${path}.new`, 'version: 1\n');
    await rename(`${path}.new`, path);
  };
  const acts = [
    rest,
    // Half written: seen once only, so it does not count.
    () => writeFile(path, 'version: 1\nsett'),
    write('Europe/Rome'),
    rest,
    rest,
    write('Nowhere'),
    rest,
    () => rm(path),
    rest,
    replace,
    rest,
  ];
  const end = new AbortController();
  const seen: string[] = [];
  try {
    await write('UTC')();
    for await (const { configuration, faults } of watchConfig(path, {
      clock: scriptedClock(acts, end),
      signal: end.signal,
    }))
      seen.push(configuration ? (configuration.settings.zone ?? 'none') : faults[0]!.message);
  } finally {
    await rm(folder, { recursive: true });
  }
  assert.deepEqual(seen.slice(0, 3), [
    'UTC',
    'Europe/Rome',
    'there is no such time zone; write one like Europe/Paris or UTC',
  ]);
  assert.match(seen[3]!, /^cannot read .*ENOENT/);
  assert.deepEqual(seen.slice(4), ['none']);
});

test('a file that is not there is an error of its own', async () => {
  await assert.rejects(readConfigFile('/nowhere/holdfast.yaml'), { code: 'config.file', exitCode: 2 });
});
