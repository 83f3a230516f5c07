import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { seededRandom } from '#base';
import { MemoryStorage } from '#storage';
import { checkRepository } from '../check/check-repository.ts';
import { copySnapshots } from '../copy/copy-snapshots.ts';
import type { PackId } from '../format/ids.ts';
import type { Repository } from '../repository.ts';
import type { StoredSnapshot } from '../snapshot/snapshot.ts';
import { filesOf, initSmall, openSmall, snapshotOf } from '../testing/small-repository.ts';
import { repairIndex } from './repair-index.ts';
import { repairPacks } from './repair-packs.ts';
import { repairSnapshots } from './repair-snapshots.ts';

const noise = (sizeBytes: number, seed = 5) => seededRandom(seed).fill(new Uint8Array(sizeBytes));
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');
const lost = noise(600_000, 6);
const files = { 'a/small': 'hello', 'a/lost': lost, 'b/other': noise(700_000, 7), empty: '' };

let storage: MemoryStorage;
let snapshot: StoredSnapshot;
let copy: Repository;

/** One snapshot, and the same in a second repository with another key. */
beforeEach(async () => {
  storage = new MemoryStorage();
  const repository = await initSmall(storage);
  snapshot = await snapshotOf(repository, files, { tags: ['t'] });
  copy = await initSmall(new MemoryStorage(), { seed: 9, password: 'other' });
  await copySnapshots(repository, copy);
});

const named = (prefix: string) => [...storage.files.keys()].filter((name) => name.startsWith(prefix));
const idOfFile = (name: string) => name.slice(name.lastIndexOf('/') + 1) as PackId;
const bySize = (names: string[]) =>
  names.sort((a, b) => storage.files.get(b)!.length - storage.files.get(a)!.length);
const dataPack = () => bySize(named('data/'))[0]!;
const treePack = () => bySize(named('data/'))[1]!;

/** Flips a byte of a blob whose plain bytes are known, which data packs hold in the clear only to the key. */
async function damageBlobOf(path: string): Promise<PackId> {
  const repository = await openSmall(storage);
  const node = await repository.findNode(snapshot, path);
  const index = await repository.index();
  const place = index.places('data', node!.content![0]!)[0]!;
  const id = index.packs.idOf(place.pack);
  storage.files.get(`data/${id.slice(0, 2)}/${id}`)![place.offset + 20]! ^= 1;
  return id;
}

async function assertSound(): Promise<void> {
  const report = await checkRepository(await openSmall(storage), { readData: 'all' });
  assert.deepEqual(
    report.findings.filter(({ gravity }) => gravity === 'error'),
    [],
  );
}

async function newest(): Promise<Record<string, string | Error>> {
  const repository = await openSmall(storage);
  return filesOf(repository, (await repository.snapshots()).at(-1)!);
}

test('repair index rebuilds what is lost of the index from the packs', async () => {
  for (const name of named('index/')) storage.files.delete(name);
  const report = await repairIndex(await openSmall(storage));
  assert.deepEqual(report.packsAdded.sort(), named('data/').map(idOfFile).sort());
  await assertSound();
  assert.equal((await newest())['a/lost'], text(lost));
});

test('repair index removes a damaged index file and says the same as before', async () => {
  const [name] = named('index/');
  storage.files.get(name!)![40]! ^= 1;
  const report = await repairIndex(await openSmall(storage));
  assert.deepEqual(report.indexFilesRemoved, [idOfFile(name!)]);
  await assertSound();
});

test('repair index leaves a sound repository as it is', async () => {
  const before = new Map(storage.files);
  for (const readAllPacks of [false, true]) {
    const report = await repairIndex(await openSmall(storage), { readAllPacks });
    assert.deepEqual(Object.values(report).flat(), []);
    assert.deepEqual(storage.files, before);
  }
});

test('repair index drops a missing pack, and names one whose header is gone', async () => {
  const [missing, cut] = [treePack(), dataPack()];
  storage.files.delete(missing);
  storage.files.set(cut, storage.files.get(cut)!.slice(0, -1));
  const report = await repairIndex(await openSmall(storage));
  assert.deepEqual([report.packsDropped, report.packsDamaged], [[idOfFile(missing)], [idOfFile(cut)]]);
  const index = await (await openSmall(storage)).index();
  assert.ok(index.isLive(index.packs.numberOf(Buffer.from(idOfFile(cut), 'hex'))), 'its entries are kept');
});

test('repair packs saves what opens, and names what is lost', async () => {
  const pack = await damageBlobOf('/a/lost');
  const report = await repairPacks(await openSmall(storage), [pack]);
  assert.deepEqual([report.packs, report.lost.length, report.savedFromCopy], [[pack], 1, 0]);
  assert.ok(report.saved >= 2);
  assert.ok(!named('data/').some((name) => idOfFile(name) === pack));
  const { 'a/lost': error, ...others } = await newest();
  assert.match(String(error), /no index file knows/);
  assert.deepEqual(others, { 'a/small': 'hello', 'b/other': text(files['b/other']), empty: '' });
});

test('repair packs takes from a second copy what does not open, also of a pack that is gone', async () => {
  const pack = await damageBlobOf('/a/lost');
  const gone = treePack();
  storage.files.delete(gone);
  const report = await repairPacks(await openSmall(storage), [pack, idOfFile(gone)], { from: copy });
  assert.deepEqual(report.lost, []);
  assert.ok(report.savedFromCopy >= 2);
  await assertSound();
  assert.equal((await newest())['a/lost'], text(lost));
});

test('repair packs untangles two packs whose contents were swapped', async () => {
  const [one, two] = [treePack(), dataPack()];
  const bytes = storage.files.get(one)!;
  storage.files.set(one, storage.files.get(two)!);
  storage.files.set(two, bytes);
  const report = await repairPacks(await openSmall(storage), [one, two].map(idOfFile));
  assert.deepEqual(report.lost, []);
  await assertSound();
});

test('repair packs keeps no second copy of what lies whole in another pack', async () => {
  const pack = await damageBlobOf('/a/lost');
  await repairPacks(await openSmall(storage), [pack], { from: copy });
  const again = named('data/').map(idOfFile);
  assert.equal((await repairPacks(await openSmall(storage), [pack])).saved, 0);
  assert.deepEqual(named('data/').map(idOfFile), again);
});

test('repair snapshots writes a snapshot without what is lost, once, and keeps the old one', async () => {
  await repairPacks(await openSmall(storage), [await damageBlobOf('/a/lost')]);
  const dry = await repairSnapshots(await openSmall(storage), { dryRun: true });
  assert.deepEqual(
    dry.repaired.map(({ entries }) => entries),
    [[{ path: '/a/lost', what: 'file-shortened' }]],
  );
  assert.equal(named('snapshots/').length, 1);
  const first = await repairSnapshots(await openSmall(storage));
  const { after } = first.repaired[0]!;
  assert.deepEqual([after!.original, after!.tags], [snapshot.id, ['t', 'repaired']]);
  const repository = await openSmall(storage);
  assert.deepEqual(await filesOf(repository, after!), { ...textsOf(files), 'a/lost': '' });
  const second = await repairSnapshots(await openSmall(storage));
  assert.equal(second.repaired[0]!.after!.id, after!.id);
  assert.equal(named('snapshots/').length, 2);
  await repairSnapshots(await openSmall(storage), { forget: true });
  assert.deepEqual(named('snapshots/').map(idOfFile), [after!.id]);
  await assertSound();
});

test('repair snapshots makes files whole from a second copy, and then no new form is needed', async () => {
  await repairPacks(await openSmall(storage), [await damageBlobOf('/a/lost'), idOfFile(treePack())]);
  for (const name of named('data/').slice(0, 1)) storage.files.delete(name);
  await repairIndex(await openSmall(storage));
  const report = await repairSnapshots(await openSmall(storage), { from: copy, forget: true });
  assert.deepEqual([report.repaired, report.hopeless], [[], []]);
  assert.ok(report.blobsFetched > 0);
  assert.deepEqual(await newest(), textsOf(files));
  await assertSound();
});

test('repair snapshots puts an empty folder where one is lost', async () => {
  const repository = await openSmall(storage);
  const node = await repository.findNode(snapshot, '/a');
  const index = await repository.index();
  const place = index.places('tree', node!.subtree!)[0]!;
  const pack = index.packs.idOf(place.pack);
  storage.files.get(`data/${pack.slice(0, 2)}/${pack}`)![place.offset + 20]! ^= 1;
  await repairPacks(await openSmall(storage), [pack]);
  const { repaired } = await repairSnapshots(await openSmall(storage), { forget: true });
  assert.deepEqual(repaired[0]!.entries, [{ path: '/a', what: 'folder-emptied' }]);
  assert.deepEqual(Object.keys(await newest()), ['b/other', 'empty']);
  await assertSound();
});

test('repair snapshots tells a snapshot of which nothing is left, and deletes it only when told', async () => {
  storage.files.delete(treePack());
  await repairIndex(await openSmall(storage));
  const report = await repairSnapshots(await openSmall(storage));
  assert.deepEqual(report.hopeless, [snapshot]);
  assert.equal(named('snapshots/').length, 1);
  await repairSnapshots(await openSmall(storage), { forget: true });
  assert.equal(named('snapshots/').length, 0);
  await assertSound();
});

test('repair snapshots finds snapshots whose files were swapped', async () => {
  const second = await snapshotOf(
    await openSmall(storage),
    { 'c/new': 'new' },
    { timeNs: 1_800_000_000_000_000_000n },
  );
  const [one, two] = [`snapshots/${snapshot.id}`, `snapshots/${second.id}`];
  const bytes = storage.files.get(one)!;
  storage.files.set(one, storage.files.get(two)!);
  storage.files.set(two, bytes);
  const report = await repairSnapshots(await openSmall(storage), { forget: true });
  assert.deepEqual(report.misplaced.map(({ original }) => original).sort(), [snapshot.id, second.id].sort());
  assert.equal((await (await openSmall(storage)).snapshots()).length, 2);
  assert.deepEqual(await newest(), { 'c/new': 'new' });
  await assertSound();
});

function textsOf(all: Record<string, string | Uint8Array>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(all).map(([path, content]) => [path, Buffer.from(content).toString('latin1')]),
  );
}
