import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import {
  initRepository,
  inlineExecutor,
  type Repository,
  type StoredSnapshot,
  writeSnapshot,
} from '#repository';
import { MemoryStorage } from '#storage';
import { forget } from './forget.ts';

const kdf = { N: 1024, r: 8, p: 1 };
const dayNs = 86_400_000_000_000n;
let repository: Repository;
let storage: MemoryStorage;

beforeEach(async () => {
  storage = new MemoryStorage();
  const clock = { nowMs: () => Date.UTC(2026, 0, 20), monotonicMs: () => 0, sleep: async () => {} };
  repository = await initRepository({ storage, password: 'secret', kdf, clock, executor: inlineExecutor() });
});

async function snapshotAt(day: number, tags: string[] = []): Promise<StoredSnapshot> {
  const timeNs = BigInt(Date.UTC(2026, 0, 1)) * 1_000_000n + BigInt(day) * dayNs;
  const { snapshot } = await writeSnapshot(
    repository,
    { paths: ['/'], timeNs, tags, hostname: 'db1' },
    async () => {},
  );
  return snapshot!;
}

const left = async () => (await repository.snapshots()).map(({ id }) => id);

test('drops what the policy does not keep, and says why the others stay', async () => {
  const [old, middle, newest] = [await snapshotAt(1), await snapshotAt(2), await snapshotAt(3)];
  const { groups, forgottenCount } = await forget({
    repository,
    policy: { last: 1, tags: [['none']], daily: 1 },
  });
  assert.equal(forgottenCount, 2);
  assert.deepEqual(groups, [
    {
      key: { hostname: 'db1', paths: ['/'] },
      keep: [{ snapshot: newest, reasons: ['last snapshot', 'daily snapshot'] }],
      forget: [middle, old],
    },
  ]);
  assert.deepEqual(await left(), [newest.id]);
});

test('a dry run decides the same and deletes nothing', async () => {
  const [old, newest] = [await snapshotAt(1), await snapshotAt(2)];
  const planned = await forget({ repository, policy: { last: 1 }, dryRun: true });
  assert.equal(planned.forgottenCount, 0);
  assert.deepEqual(await left(), [old.id, newest.id]);
  const done = await forget({ repository, policy: { last: 1 } });
  assert.deepEqual(done.groups, planned.groups);
});

test('looks only at what the filter lets through, in groups as asked', async () => {
  const [shop1, blog1] = [await snapshotAt(1, ['name=shop']), await snapshotAt(2, ['name=blog'])];
  const [shop2, blog2] = [await snapshotAt(3, ['name=shop']), await snapshotAt(4, ['name=blog'])];
  await forget({ repository, policy: { last: 1 }, filter: { names: ['shop'] } });
  assert.deepEqual(await left(), [blog1.id, shop2.id, blog2.id]);
  const gone: string[] = [];
  await forget({ repository, policy: { last: 1 }, groupBy: ['name'], onForgotten: (id) => gone.push(id) });
  assert.deepEqual(gone, [blog1.id]);
  assert.deepEqual(await left(), [shop2.id, blog2.id]);
  assert.ok(!(await left()).includes(shop1.id));
});

test('refuses a policy that keeps nothing, and stops at a snapshot that cannot be read', async () => {
  const [first, second] = [await snapshotAt(1), await snapshotAt(2)];
  await assert.rejects(forget({ repository, policy: {} }), { code: 'retention.empty-policy' });
  storage.files.set(`snapshots/${'0'.repeat(64)}`, Buffer.from('damaged'));
  await assert.rejects(forget({ repository, policy: { last: 1 } }), { code: 'repository.damaged' });
  assert.ok(storage.files.has(`snapshots/${first.id}`) && storage.files.has(`snapshots/${second.id}`));
  assert.deepEqual(
    [...storage.files.keys()].filter((name) => name.startsWith('locks/')),
    [],
  );
});

test('slices of an oplog are not thinned out: they go with the full backups that lead to them', async () => {
  const at = (minute: number): string => `${1_700_000_000 + minute * 60}:1/1`;
  let day = 0;
  const save = async (path: string, tag: string): Promise<StoredSnapshot> => {
    const timeNs = BigInt(Date.UTC(2026, 0, 1)) * 1_000_000n + BigInt(++day) * dayNs;
    const options = { paths: [path], timeNs, tags: [tag], hostname: 'db1' };
    return (await writeSnapshot(repository, options, async () => {})).snapshot!;
  };
  const full = (minute: number) => save('/mongodb-db', `oplog=${at(minute)}`);
  const slice = (from: number, to: number) =>
    save('/mongodb-db/dump/oplog.bson', `oplog=${at(from)}..${at(to)}`);
  const first = await full(0);
  const slices = [await slice(0, 10), await slice(10, 20), await slice(20, 30)];
  const second = await full(15);
  const { groups } = await forget({ repository, policy: { last: 2 }, dryRun: true });
  assert.deepEqual(
    groups.flatMap((group) => group.forget),
    [],
  );
  const { forgottenCount } = await forget({ repository, policy: { last: 1 } });
  assert.equal(forgottenCount, 2);
  // The second full backup lies in the second slice.
  assert.deepEqual((await left()).sort(), [slices[1]!.id, slices[2]!.id, second.id].sort());
  assert.ok(!(await left()).includes(first.id));
});
