import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { HoldfastError, seededRandom } from '#base';
import {
  checkRepository,
  forgetSnapshots,
  pruneRepository,
  type Repository,
  removeAllLocks,
  type SnapshotId,
} from '#repository';
import { MemoryStorage } from '#storage';
import { storePack } from '../../src/repository/testing/handmade-pack.ts';
import {
  type Files,
  filesOf,
  initSmall,
  openSmall,
  snapshotOf,
} from '../../src/repository/testing/small-repository.ts';
import { type FaultKind, type FaultPlan, nthCall } from '../../src/storage/testing/fault-plan.ts';
import { faulty } from '../../src/storage/testing/faulty.ts';
import { LeapingClock } from '../../src/storage/testing/leaping-clock.ts';

const graceMs = 3_600_000;
/** Fewer would mean that the work was not done at all. */
const callsMin = 15;
const clock = new LeapingClock();

/** The files of a repository in which a prune has everything to do, and the content of its snapshots. */
let files: Map<string, Uint8Array>;
const contents = new Map<string, Files>();
let forgotten: SnapshotId[];

before(async () => {
  const random = seededRandom(21);
  const noise = () => random.fill(new Uint8Array(20_000 + random.below(30_000)));
  const storage = new MemoryStorage();
  const repository = await initSmall(storage, { clock });
  const keep = async (content: Files) => {
    const snapshot = await snapshotOf(repository, content);
    contents.set(snapshot.id, content);
    return snapshot;
  };
  const shared = noise();
  const first = await snapshotOf(repository, { 'a/gone': noise(), 'a/shared': shared });
  await keep({ 'a/shared': shared, b: noise() });
  const late = await keep({ late: noise() });
  const lateFile = storage.files.get(`snapshots/${late.id}`)!;
  await forgetSnapshots(repository, [first.id, late.id]);
  await storePack(repository, [{ type: 'data', plain: 'an old orphan' }]);
  // Marks that are old by now, of which one is to be taken back.
  await pruneRepository(repository, { graceMs });
  await clock.sleep(2 * graceMs);
  storage.files.set(`snapshots/${late.id}`, lateFile);
  await storePack(repository, [{ type: 'data', plain: 'an orphan' }]);
  const more = noise();
  const second = await snapshotOf(repository, { 'c/gone': noise(), 'c/more': more });
  const third = await snapshotOf(repository, { gone: noise() });
  await keep({ 'c/more': more });
  forgotten = [second.id, third.id];
  files = storage.files;
});

interface Client {
  repository: Repository;
  storage: MemoryStorage;
  plan: FaultPlan;
  /** Rejects when the client dies. */
  death: Promise<never>;
}

/** A client whose storage fails at the Nth call. It opens the repository before the counting begins. */
async function openClient(kind: FaultKind, n: number): Promise<Client> {
  const storage = new MemoryStorage(new Map(files));
  const inner = nthCall(n, kind);
  let isCounting = false;
  const plan: FaultPlan = { next: (call) => (isCounting ? inner.next(call) : undefined), unmet: inner.unmet };
  const life = new AbortController();
  const repository = await openSmall(faulty(storage, { plan, clock, life }), { clock });
  isCounting = true;
  const death = new Promise<never>((_, reject) => {
    life.signal.addEventListener('abort', () => reject(new Dead()));
  });
  death.catch(() => {});
  return { repository, storage, plan, death };
}

class Dead extends Error {}

async function assertWhole(repository: Repository, allowed: string[]): Promise<void> {
  const { findings } = await checkRepository(repository, { readData: 'all' });
  const unexpected = findings.filter(({ code }) => !allowed.includes(code));
  assert.deepEqual(unexpected, []);
  for (const [id, content] of contents) {
    const found = await filesOf(repository, await repository.findSnapshot(id));
    assert.deepEqual(Object.keys(found), Object.keys(content).sort());
    for (const [path, text] of Object.entries(found))
      assert.ok(Buffer.from(content[path]!).equals(Buffer.from(text as string, 'latin1')), path);
  }
}

async function reopen(storage: MemoryStorage): Promise<Repository> {
  const repository = await openSmall(storage, { clock });
  await removeAllLocks(repository);
  return repository;
}

/** Lets the work meet the fault at each of its calls in turn. Returns how many there are. */
async function failEachCall(
  kind: FaultKind,
  work: (repository: Repository) => Promise<unknown>,
  next: (repository: Repository) => Promise<void>,
): Promise<number> {
  for (let n = 1; ; n++) {
    const client = await openClient(kind, n);
    const error = await Promise.race([work(client.repository), client.death]).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (client.plan.unmet().length > 0) {
      assert.equal(error, undefined);
      return n - 1;
    }
    assert.ok(error === undefined || error instanceof HoldfastError || error instanceof Dead, String(error));
    // What a dead or failed client leaves: waste, or the same said twice.
    const repository = await reopen(client.storage);
    await assertWhole(repository, ['pack-unknown', 'index-duplicate']);
    await next(repository);
  }
}

const kinds = ['fail', 'fail-after', 'crash', 'crash-after'] as const;
for (const kind of kinds) {
  for (const grace of [0, graceMs]) {
    test(`a prune that meets "${kind}" at any call, ${grace ? 'with' : 'without'} grace, loses nothing, and the next goes on`, async () => {
      const prune = async (repository: Repository) => {
        await forgetSnapshots(repository, forgotten);
        return pruneRepository(repository, { graceMs: grace, maxUnused: { percent: 0 } });
      };
      const calls = await failEachCall(kind, prune, async (repository) => {
        await prune(repository);
        await assertWhole(repository, grace ? ['index-duplicate'] : []);
        const { packs, blobs, unusedBytes } = await pruneRepository(repository, {
          graceMs: 0,
          maxUnused: { percent: 0 },
        });
        assert.deepEqual([packs.marked.count, unusedBytes], [0, 0]);
        await assertWhole(repository, []);
        assert.equal(blobs.used, 9);
      });
      assert.ok(calls >= callsMin, `${calls} calls only`);
    });
  }
}
