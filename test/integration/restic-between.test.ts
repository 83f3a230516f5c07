import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { seededRandom, toHex } from '#base';
import {
  forgetSnapshots,
  initRepository,
  inlineExecutor,
  pruneRepository,
  type Repository,
  type StoredSnapshot,
  streamAttributes,
  writeSnapshot,
} from '#repository';
import { Restic } from '../servers/restic.ts';

const password = 'between';
const kdf = { N: 1024, r: 8, p: 1 };
const hourMs = 3_600_000;
const random = seededRandom(9);
const contents = Array.from({ length: 6 }, () => Buffer.from(toHex(random.fill(new Uint8Array(20_000)))));

let folder: string;
let count = 0;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-between-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** A repository that we keep open, and restic on the same. */
async function both(): Promise<{ repository: Repository; restic: Restic }> {
  const location = join(folder, `repository${count++}`);
  const options = { storage: location, password, executor: inlineExecutor() };
  const repository = await initRepository({ ...options, kdf });
  return { repository, restic: new Restic({ repository: location, password, folder }) };
}

async function backUp(repository: Repository, numbers: number[]): Promise<StoredSnapshot> {
  const { snapshot } = await writeSnapshot(
    repository,
    { paths: ['/x'], packSizeBytes: 65_536 },
    async (writer) => {
      for (const number of numbers)
        await writer.addFile(Buffer.from(`f${number}`), streamAttributes(0n), {
          open: async function* () {
            yield contents[number]!;
          },
        });
    },
  );
  return snapshot!;
}

async function assertHolds(repository: Repository, snapshot: StoredSnapshot, numbers: number[]) {
  const nodes = await repository.readTree(snapshot.tree);
  assert.deepEqual(
    nodes.map(({ name }) => Buffer.from(name).toString()),
    numbers.map((number) => `f${number}`),
  );
  for (const [i, node] of nodes.entries()) {
    const pieces: Uint8Array[] = [];
    for await (const piece of repository.readFile(node)) pieces.push(piece);
    assert.deepEqual(Buffer.concat(pieces), Buffer.from(contents[numbers[i]!]!));
  }
}

test('restic forgets and prunes between two of our backups; the second relies on nothing that is gone', async () => {
  const { repository, restic } = await both();
  const first = await backUp(repository, [0, 1, 2]);
  const second = await backUp(repository, [2, 3]);
  restic.run('forget', first.id, '--prune');
  const third = await backUp(repository, [0, 1, 2, 3, 4]);
  restic.run('check', '--read-data');
  await assertHolds(repository, second, [2, 3]);
  await assertHolds(repository, third, [0, 1, 2, 3, 4]);
});

test('restic prunes packs that we have marked; our next prune and backup go on', async () => {
  const { repository, restic } = await both();
  const first = await backUp(repository, [0, 1, 2]);
  const second = await backUp(repository, [2, 3]);
  await forgetSnapshots(repository, [first.id]);
  const marking = await pruneRepository(repository, { graceMs: hourMs, maxUnused: { percent: 0 } });
  assert.ok(marking.packs.marked.count > 0);
  restic.run('check', '--read-data');
  restic.run('prune', '--max-unused', '0');
  restic.run('check', '--read-data');
  const third = await backUp(repository, [0, 1, 5]);
  const again = await pruneRepository(repository, { graceMs: hourMs });
  assert.equal(again.packs.waiting.count, 0, 'restic has deleted what was marked');
  restic.run('check', '--read-data');
  await assertHolds(repository, second, [2, 3]);
  await assertHolds(repository, third, [0, 1, 5]);
});

test('restic backs up between a mark and a deletion of ours; nothing of its snapshot is lost', async () => {
  const { repository, restic } = await both();
  const first = await backUp(repository, [0, 1, 2]);
  await backUp(repository, [3]);
  await forgetSnapshots(repository, [first.id]);
  await pruneRepository(repository, { graceMs: 1, maxUnused: { percent: 0 } });
  const file = join(folder, 'f1');
  writeFileSync(file, contents[1]!);
  restic.run('backup', file);
  const deleting = await pruneRepository(repository, { graceMs: 1, maxUnused: { percent: 0 } });
  assert.ok(deleting.packs.deleted.count > 0);
  restic.run('check', '--read-data');
  assert.ok(restic.run('dump', 'latest', file).includes(contents[1]!.toString()));
});

test('our prune without grace keeps what restic saved while our repository stood open', async () => {
  const { repository, restic } = await both();
  const first = await backUp(repository, [0, 1]);
  const file = join(folder, 'f4');
  writeFileSync(file, Buffer.concat([contents[4]!, contents[0]!]));
  restic.run('backup', file);
  await forgetSnapshots(repository, [first.id]);
  await pruneRepository(repository, { graceMs: 0, maxUnused: { percent: 0 } });
  restic.run('check', '--read-data');
  assert.equal((await repository.snapshots()).length, 1);
});

test('restic rewrites tags and rebuilds the index between two of our reads', async () => {
  const { repository, restic } = await both();
  const first = await backUp(repository, [0, 1]);
  restic.run('tag', '--add', 'theirs', first.id);
  restic.run('rebuild-index', '--read-all-packs');
  const second = await backUp(repository, [1, 2]);
  const [tagged] = await repository.snapshots();
  assert.deepEqual(tagged!.tags, ['theirs']);
  await assertHolds(repository, tagged!, [0, 1]);
  await assertHolds(repository, second, [1, 2]);
  restic.run('check', '--read-data');
});
