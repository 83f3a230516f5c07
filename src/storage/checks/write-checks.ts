import assert from 'node:assert/strict';
import { collect } from '#base';
import { StorageError } from '../errors.ts';
import type { CheckSite, StorageCheck } from './check.ts';
import { expectContent, expectError, expectNothing, itemsOf, listedNames, randomBytes } from './expect.ts';

export const writeChecks: readonly StorageCheck[] = [
  { name: 'replaces a file as a whole', run: replacesWhole },
  { name: 'joins the pieces of a content', run: joinsPieces },
  { name: 'writes from shared memory', run: writesFromSharedMemory },
  { name: 'takes 32 writes at once', run: takesManyWrites },
  { name: 'keeps one of eight contents that are written at once under one name', run: keepsOneWhole },
  { name: 'creates a file only where none is', needs: 'conditionalCreate', run: createsOnlyAbsent },
  { name: 'lets exactly one of eight creators win', needs: 'conditionalCreate', run: letsOneCreatorWin },
  { name: 'keeps names as they are', run: keepsNames },
  { name: 'refuses names that are none', run: refusesBadNames },
];

async function replacesWhole({ storage, folder, random }: CheckSite): Promise<void> {
  const name = `${folder}file`;
  for (const sizeBytes of [5000, 100, 70_000, 0]) {
    const bytes = randomBytes(random, sizeBytes);
    await storage.write(name, bytes);
    await expectContent(storage, name, bytes);
  }
  assert.deepEqual(await listedNames(storage, folder), [name]);
}

async function joinsPieces({ storage, folder, random }: CheckSite): Promise<void> {
  const pieces = [3, 0, 100_000, 1].map((sizeBytes) => randomBytes(random, sizeBytes));
  await storage.write(`${folder}pieces`, pieces);
  await expectContent(storage, `${folder}pieces`, Buffer.concat(pieces));
  await storage.write(`${folder}none`, []);
  await expectContent(storage, `${folder}none`, new Uint8Array());
}

async function writesFromSharedMemory({ storage, folder, random }: CheckSite): Promise<void> {
  const shared = new Uint8Array(new SharedArrayBuffer(300_000));
  shared.set(randomBytes(random, shared.length));
  const part = shared.subarray(1000, 250_000);
  await storage.write(`${folder}whole`, part);
  await storage.write(`${folder}pieces`, [part.subarray(0, 10), part.subarray(10)]);
  for (const name of ['whole', 'pieces']) await expectContent(storage, folder + name, new Uint8Array(part));
}

async function takesManyWrites({ storage, folder, random }: CheckSite): Promise<void> {
  const files = Array.from({ length: 32 }, (_, i) => ({
    name: `${folder}${i % 4}/${i}`,
    bytes: randomBytes(random, 1000 * i),
  }));
  await Promise.all(files.map(({ name, bytes }) => storage.write(name, bytes)));
  await Promise.all(files.map(({ name, bytes }) => expectContent(storage, name, bytes)));
  assert.deepEqual(await listedNames(storage, folder), files.map(({ name }) => name).sort());
}

async function keepsOneWhole({ storage, folder }: CheckSite): Promise<void> {
  const name = `${folder}contested`;
  const contents = Array.from({ length: 8 }, (_, i) => new Uint8Array(50_000 + i).fill(i));
  await Promise.all(contents.map((content) => storage.write(name, content)));
  const kept = await collect(storage.read(name));
  assert(
    contents.some((content) => Buffer.compare(content, kept) === 0),
    'what is kept is none of what was written',
  );
}

async function createsOnlyAbsent({ storage, folder, random }: CheckSite): Promise<void> {
  const name = `${folder}once`;
  const bytes = randomBytes(random, 1000);
  await storage.write(name, bytes, { ifAbsent: true });
  await expectError('storage.exists', storage.write(name, randomBytes(random, 10), { ifAbsent: true }));
  await expectContent(storage, name, bytes);
  await storage.delete(name);
  await storage.write(name, bytes, { ifAbsent: true });
  await expectContent(storage, name, bytes);
}

async function letsOneCreatorWin({ storage, folder }: CheckSite): Promise<void> {
  for (let round = 0; round < 3; round++) {
    const name = `${folder}race-${round}`;
    const contents = Array.from({ length: 8 }, (_, i) => new Uint8Array(10_000).fill(i));
    const outcomes = await Promise.allSettled(
      contents.map((content) => storage.write(name, content, { ifAbsent: true })),
    );
    const winners = contents.filter((_, i) => outcomes[i]?.status === 'fulfilled');
    assert.equal(winners.length, 1, 'number of creators that won');
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled') continue;
      const { reason } = outcome;
      if (!(reason instanceof StorageError && reason.code === 'storage.exists')) throw reason;
    }
    await expectContent(storage, name, winners[0]!);
  }
}

const oddNames = [
  'with space',
  ' leading and trailing ',
  'ümläut-日本語-🙂',
  'e\u0301 and \u00e9',
  'per%cent%20%2F',
  'plus+and&more=?#;,',
  'quote"\'`$(x)\\<>|*[]{}!~^@:',
  '-dash',
  '.hidden',
  '..two',
  'three...',
  'UPPER and upper',
  `${'f'.repeat(120)}/${'n'.repeat(100)}`,
];

async function keepsNames({ storage, folder }: CheckSite): Promise<void> {
  const start = folder.length;
  const full = `${'a'.repeat(128)}/${'b'.repeat(127 - start)}`;
  assert.equal(folder.length + full.length, 256);
  const names = [...oddNames, full].map((name) => folder + name);
  for (const [index, name] of names.entries()) await storage.write(name, Buffer.from(`${index}`));
  for (const [index, name] of names.entries()) {
    await expectContent(storage, name, Buffer.from(`${index}`));
    assert.equal((await storage.stat(name))?.name, name);
  }
  assert.deepEqual(await listedNames(storage, folder), names.sort());
}

async function refusesBadNames({ storage, folder }: CheckSite): Promise<void> {
  const names = ['', '/', '/etc/x', `${folder}/x`, `${folder}../x`, '..', '.', `${folder}./x`, `${folder}x/`];
  for (const name of [...names, `${folder}a\0b`, `${folder}a\ud800b`]) {
    await expectError('storage.name', storage.write(name, new Uint8Array(1)));
    await expectError('storage.name', itemsOf(storage.read(name)));
    await expectError('storage.name', storage.stat(name));
    await expectError('storage.name', storage.delete(name));
  }
  for (const prefix of ['../', '/', `${folder}../`, 'a\0'])
    await expectError('storage.name', itemsOf(storage.list(prefix)));
  await expectNothing(storage, folder);
}
