import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect } from '#base';
import { expectError, itemsOf, listedNames } from '../checks/expect.ts';
import { MemoryStorage } from '../memory/memory-storage.ts';
import type { FileVersion, Storage, Versions } from '../storage.ts';
import { asOf, tamperingSince } from './as-of.ts';

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second));

/** Versions of `NAME second content`, in the order they came; no content: a marker. */
function storageWith(
  ...history: [name: string, second: number, content?: string][]
): Storage & { counts: { listings: number } } {
  const entries = history.map(([name, second, content], index): FileVersion & { content: string } => ({
    name,
    sizeBytes: content?.length ?? 0,
    modifiedAt: at(second),
    versionId: `v${index}`,
    isLatest: !history.slice(index + 1).some(([later]) => later === name),
    isDeleteMarker: content === undefined,
    content: content ?? '',
  }));
  entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const counts = { listings: 0 };
  const versions: Versions = {
    async *list(prefix) {
      counts.listings++;
      for (const { content: _, ...version } of entries) if (version.name.startsWith(prefix)) yield version;
    },
    async *read(name, versionId, range) {
      const bytes = Buffer.from(
        entries.find((it) => it.name === name && it.versionId === versionId)!.content,
      );
      yield range ? bytes.subarray(range.offset, range.offset + range.length) : bytes;
    },
    delete: async () => assert.fail('the past is not changed'),
    areKept: async () => true,
  };
  return Object.assign(new MemoryStorage(), { versions, counts });
}

const history = storageWith(
  ['a', 1, 'first'],
  ['a', 5, 'second'],
  ['a', 9],
  ['ab', 5, 'other'],
  ['c', 5, 'hidden later'],
  ['c', 9],
  ['d', 2, 'hidden before'],
  ['d', 3],
  ['e', 9, 'came later'],
);

test('shows what was there: no later content, and nothing that was hidden then', async () => {
  const past = asOf(history, at(6));
  assert.deepEqual(await listedNames(past, ''), ['a', 'ab', 'c']);
  assert.deepEqual(await listedNames(past, 'a'), ['a', 'ab']);
  assert.equal(Buffer.from(await collect(past.read('a'))).toString(), 'second');
  assert.equal(Buffer.from(await collect(past.read('a', { offset: 1, length: 3 }))).toString(), 'eco');
  assert.equal((await past.stat('c'))?.sizeBytes, 12);
  for (const name of ['d', 'e', 'f']) {
    assert.equal(await past.stat(name), undefined, name);
    await expectError('storage.not-found', collect(past.read(name)));
  }
  assert.equal(Buffer.from(await collect(asOf(history, at(4)).read('a'))).toString(), 'first');
  assert.deepEqual(await listedNames(asOf(history, at(0)), ''), []);
  assert.deepEqual(await listedNames(asOf(history, at(60)), ''), ['ab', 'e']);
});

test('takes what happened in one second as it is now, and rather shows than hides', async () => {
  const same = storageWith(
    ['a', 1, 'x'],
    ['a', 1],
    ['b', 1],
    ['b', 1, 'x'],
    ['b', 9],
    ['c', 1, 'x'],
    ['c', 1, 'yy'],
  );
  const past = asOf(same, at(1));
  assert.deepEqual(await listedNames(past, ''), ['b', 'c']);
  assert.equal((await past.stat('c'))?.sizeBytes, 2);
});

test('cannot be written, and asks for versions once', async () => {
  const storage = storageWith(['a', 1, 'first']);
  const past = asOf(storage, at(6));
  await expectError('storage.read-only', past.write('a', new Uint8Array()));
  await expectError('storage.read-only', past.delete('a'));
  for (let i = 0; i < 3; i++) await past.stat('a');
  assert.equal(storage.counts.listings, 1);
  await expectError('storage.name', past.stat('../a'));
  await expectError(
    'storage.unsupported',
    Promise.try(() => asOf(new MemoryStorage(), at(1))),
  );
});

test('tells what was hidden and written over since', async () => {
  const found = await itemsOf(tamperingSince(history, at(4)));
  assert.deepEqual(found, [{ name: 'a', kind: 'hidden', at: at(9) }]);
  const later = await itemsOf(
    tamperingSince(storageWith(['a', 1, 'x'], ['a', 3, 'y'], ['b', 1, 'x']), at(2)),
  );
  assert.deepEqual(later, [{ name: 'a', kind: 'replaced', at: at(3) }]);
});
