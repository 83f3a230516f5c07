import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { seededRandom, systemClock } from '#base';
import { StorageError } from '../errors.ts';
import { LocalStorage } from '../local/local-storage.ts';
import { MemoryStorage } from '../memory/memory-storage.ts';
import type { Storage } from '../storage.ts';
import { temporaryFolder } from '../testing/temporary-folder.ts';
import { itemsOf } from './expect.ts';
import { type ProbeOptions, type ProbeResult, probeStorage } from './probe.ts';
import { storageChecks } from './storage-checks.ts';

const probe = (storage: Storage, options: Partial<ProbeOptions> = {}) =>
  itemsOf(probeStorage(storage, { clock: systemClock, random: seededRandom(1), ...options }));

function statesOf(results: readonly ProbeResult[]): Record<string, string> {
  return Object.fromEntries(results.map(({ name, state }) => [name, state]));
}

const denied = async (): Promise<never> => {
  throw new StorageError('storage.access-denied', 'no', { hint: 'Allow it.' });
};

test('tells what a folder can do, and leaves nothing', async () => {
  const folder = await temporaryFolder();
  const storage = new LocalStorage(folder);
  const results = await probe(storage);
  assert.deepEqual(statesOf(results), {
    list: 'kept',
    write: 'kept',
    read: 'kept',
    replace: 'kept',
    'list what was just written': 'kept',
    'write a large file': 'kept',
    'read a large file': 'kept',
    'create only what is absent': 'kept',
    clock: 'kept',
    'older versions': 'absent',
    'object lock': 'absent',
    'lock a file': 'absent',
    'rights that are not too wide': 'absent',
    'find unfinished uploads': 'kept',
    'free room': 'kept',
    delete: 'kept',
  });
  const notes = Object.fromEntries(results.map(({ name, note }) => [name, note]));
  assert.match(notes['write a large file']!, /iB\/s$/);
  assert.match(notes['free room']!, /are free$/);
  assert.deepEqual(await readdir(folder), []);
});

test('thoroughly: every promise, by name', async () => {
  const results = await probe(new MemoryStorage(), { isThorough: true });
  const states = statesOf(results);
  assert(storageChecks.length > 20);
  for (const { name } of storageChecks) assert.equal(states[name], 'kept', name);
});

test('stops at what makes the rest senseless, and passes on why', async () => {
  const storage = Object.assign(new MemoryStorage(), { write: denied });
  const results = await probe(storage, { isThorough: true });
  assert.deepEqual(statesOf(results), { list: 'kept', write: 'broken' });
  assert.equal((results[1]!.error as StorageError).hint, 'Allow it.');
});

test('says of a key that may not delete what stays behind', async () => {
  const storage = Object.assign(new MemoryStorage(), { delete: denied });
  const results = await probe(storage, { isThorough: true });
  const last = results.at(-1)!;
  assert.deepEqual([last.name, last.state], ['delete', 'absent']);
  assert.match(last.note!, /append-only.* stay as holdfast-probe-/);
});

test('finds a place that loses what it took', async () => {
  const storage = new MemoryStorage();
  const write = storage.write.bind(storage);
  storage.write = async (name, content, options) =>
    write(name, name.endsWith('small') ? Buffer.from('x') : content, options);
  const results = await probe(storage);
  assert.deepEqual(statesOf(results), { list: 'kept', write: 'kept', read: 'broken', delete: 'kept' });
});
