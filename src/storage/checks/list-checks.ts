import assert from 'node:assert/strict';
import type { CheckSite, StorageCheck } from './check.ts';
import { expectNothing, itemsOf, listedNames, randomBytes } from './expect.ts';

export const listChecks: readonly StorageCheck[] = [
  { name: 'lists by the beginning of names, at any depth', run: listsByPrefix },
  { name: 'lists sizes, and each file once', run: listsSizes },
  { name: 'lists more than a thousand files', isHeavy: true, run: listsManyFiles },
  { name: 'ends a listing that is aborted', run: endsAbortedListing },
  { name: 'deletes what is there and what is not', run: deletes },
  { name: 'lets files be deleted and written while it lists', run: listsWhileChanging },
];

async function listsByPrefix({ storage, folder }: CheckSite): Promise<void> {
  // No file `a` beside the folder `a/`: not every storage can hold both.
  const names = ['ab', 'a/x', 'a/b/c/d/e', 'a.b', 'b/x', 'ba/x', 'b/xy/z'];
  for (const name of names) await storage.write(folder + name, new Uint8Array(1));
  const prefixes = [
    '',
    'a',
    'a/',
    'a/b',
    'a/b/',
    'a/b/c/d/',
    'ab',
    'b',
    'b/',
    'b/x',
    'b/xy/',
    'c',
    'c/',
    'c/d',
  ];
  for (const prefix of prefixes) {
    const expected = names.filter((name) => name.startsWith(prefix)).map((name) => folder + name);
    assert.deepEqual(await listedNames(storage, folder + prefix), expected.sort(), `prefix "${prefix}"`);
  }
}

async function listsSizes({ storage, folder, random }: CheckSite): Promise<void> {
  const sizes = new Map([0, 1, 1000, 70_000].map((sizeBytes) => [`${folder}${sizeBytes}`, sizeBytes]));
  for (const [name, sizeBytes] of sizes) await storage.write(name, randomBytes(random, sizeBytes));
  await storage.write(`${folder}1`, randomBytes(random, 1));
  const infos = await itemsOf(storage.list(folder));
  assert.equal(infos.length, sizes.size);
  for (const { name, sizeBytes } of infos) assert.equal(sizeBytes, sizes.get(name), name);
}

/** More than a page of S3 and its kin. */
const manyCount = 1050;
const writesAtOnce = 32;

async function listsManyFiles({ storage, folder }: CheckSite): Promise<void> {
  const names = Array.from({ length: manyCount }, (_, i) => `${folder}${i % 3}/${i}`);
  for (let i = 0; i < names.length; i += writesAtOnce)
    await Promise.all(names.slice(i, i + writesAtOnce).map((name) => storage.write(name, new Uint8Array())));
  assert.deepEqual(await listedNames(storage, folder), names.sort());
  for (let i = 0; i < names.length; i += writesAtOnce)
    await Promise.all(names.slice(i, i + writesAtOnce).map((name) => storage.delete(name)));
  await expectNothing(storage, folder);
}

async function endsAbortedListing({ storage, folder }: CheckSite): Promise<void> {
  for (let i = 0; i < 3; i++) await storage.write(`${folder}${i}`, new Uint8Array());
  const reason = new Error('enough');
  const signal = AbortSignal.abort(reason);
  await assert.rejects(itemsOf(storage.list(folder, { signal })), reason);
}

async function deletes({ storage, folder }: CheckSite): Promise<void> {
  await storage.write(`${folder}sub/file`, new Uint8Array(1));
  await storage.write(`${folder}sub/file2`, new Uint8Array(1));
  const absent = ['absent', 'none/absent', 'sub', 'sub/file/below'];
  for (const name of absent) await storage.delete(folder + name);
  assert.deepEqual(await listedNames(storage, folder), [`${folder}sub/file`, `${folder}sub/file2`]);
  await storage.delete(`${folder}sub/file`);
  await storage.delete(`${folder}sub/file`);
  assert.equal(await storage.stat(`${folder}sub/file`), undefined);
  assert.deepEqual(await listedNames(storage, folder), [`${folder}sub/file2`]);
}

async function listsWhileChanging({ storage, folder }: CheckSite): Promise<void> {
  const names = Array.from({ length: 100 }, (_, i) => `${folder}${i % 2 ? 'odd' : 'even'}/${i}`);
  await Promise.all(names.map((name) => storage.write(name, new Uint8Array(1))));
  const seen: string[] = [];
  for await (const { name } of storage.list(folder)) {
    if (!names.includes(name)) continue;
    seen.push(name);
    await storage.delete(name);
    await storage.write(`${folder}new/${seen.length}`, new Uint8Array(1));
  }
  assert.deepEqual(seen.sort(), names.sort());
}
