import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { HoldfastError, seededRandom } from '#base';
import { checkRepository, forgetSnapshots, pruneRepository, removeAllLocks } from '#repository';
import { MemoryStorage, type Storage } from '#storage';
import { type ReplicateOutcome, replicate } from '#workflows';
import {
  type Files,
  filesOf,
  initSmall,
  openSmall,
  snapshotOf,
} from '../../src/repository/testing/small-repository.ts';
import { type FaultKind, nthCall } from '../../src/storage/testing/fault-plan.ts';
import { faulty } from '../../src/storage/testing/faulty.ts';
import { LeapingClock } from '../../src/storage/testing/leaping-clock.ts';

const clock = new LeapingClock();
const random = seededRandom(71);
const noise = (): Uint8Array => random.fill(new Uint8Array(20_000 + random.below(30_000)));
const shared = noise();
const contents = new Map<string, Files>();

/** A repository as it was, and as it became by a forget, a prune that repacks, and another backup. */
let earlier: Map<string, Uint8Array>;
let later: Map<string, Uint8Array>;

before(async () => {
  const storage = new MemoryStorage();
  const repository = await initSmall(storage, { clock });
  const keep = async (files: Files) => {
    const snapshot = await snapshotOf(repository, files);
    contents.set(snapshot.id, files);
    return snapshot.id;
  };
  const first = await keep({ 'a/gone': noise(), 'a/shared': shared });
  await keep({ 'a/shared': shared, b: noise() });
  storage.files.set('locks/of somebody', Buffer.from('lock'));
  earlier = new Map(storage.files);
  storage.files.delete('locks/of somebody');
  await forgetSnapshots(repository, [first]);
  await pruneRepository(repository, { graceMs: 0, maxUnused: { percent: 0 } });
  await keep({ c: noise() });
  storage.files.set('locks/of somebody', Buffer.from('lock'));
  later = storage.files;
});

function withoutLocks(files: Map<string, Uint8Array>): Map<string, string> {
  const names = [...files.keys()].filter((name) => !name.startsWith('locks/')).sort();
  return new Map(names.map((name) => [name, Buffer.from(files.get(name)!).toString('base64')]));
}

function replicated(from: Storage, to: Storage): Promise<ReplicateOutcome> {
  return replicate({ from, to, deletes: { max: { percent: 100 } }, filesAtOnce: 2, clock });
}

/** All that is there can be read; packs that nobody names and blobs that are said twice are waste only. */
async function assertSound(files: Map<string, Uint8Array>): Promise<number> {
  if (!files.has('config')) {
    assert(![...files.keys()].some((name) => name.startsWith('snapshots/')));
    return 0;
  }
  // A copy: opening takes a lock, and a lock would keep the next run from deleting.
  const repository = await openSmall(new MemoryStorage(new Map(files)), { clock });
  await removeAllLocks(repository);
  const { findings } = await checkRepository(repository, { readData: 'all' });
  const harmless = ['pack-unknown', 'index-duplicate'];
  assert.deepEqual(
    findings.filter(({ code }) => !harmless.includes(code)),
    [],
  );
  const snapshots = await repository.snapshots();
  for (const snapshot of snapshots) {
    const found = await filesOf(repository, snapshot);
    for (const [path, content] of Object.entries(contents.get(snapshot.id)!))
      assert.equal(found[path], Buffer.from(content).toString('latin1'), path);
  }
  return snapshots.length;
}

class Dead extends Error {}

/** Runs until the Nth call at one side meets the fault. Returns whether there was such a call. */
async function runWithFault(
  { kind, n, side }: { kind: FaultKind; n: number; side: 'from' | 'to' },
  target: Map<string, Uint8Array>,
): Promise<boolean> {
  const life = new AbortController();
  const plan = nthCall(n, kind);
  const spoilt = (storage: Storage) => faulty(storage, { plan, clock, life });
  const [from, to] = [new MemoryStorage(later), new MemoryStorage(target)];
  const dead = new Promise<never>((_, reject) => {
    life.signal.addEventListener('abort', () => reject(new Dead()));
  });
  dead.catch(() => {});
  const work = side === 'from' ? replicated(spoilt(from), to) : replicated(from, spoilt(to));
  work.catch(() => {});
  const [outcome] = await Promise.allSettled([Promise.race([work, dead])]);
  const wasMet = plan.unmet().length === 0;
  if (outcome.status === 'rejected') {
    assert(wasMet);
    assert(outcome.reason instanceof HoldfastError || outcome.reason instanceof Dead, String(outcome.reason));
  } else if (!wasMet) assert.equal(outcome.value.state, 'succeeded');
  return wasMet;
}

/** Fewer would mean that the work was not done at all. */
const callsMin = 10;

for (const side of ['to', 'from'] as const) {
  const kinds = [
    'fail',
    'refuse',
    'cut',
    'crash',
    ...(side === 'to' ? (['fail-after', 'crash-after'] as const) : (['short'] as const)),
  ] as const;
  for (const kind of kinds) {
    test(`"${kind}" at any call to the ${side === 'to' ? 'target' : 'source'} leaves a sound repository, and the next run completes it`, async () => {
      for (const start of ['empty', 'an earlier state'] as const) {
        for (let n = 1; ; n++) {
          const target = new Map(start === 'empty' ? [] : earlier);
          target.delete('locks/of somebody');
          const wasMet = await runWithFault({ kind, n, side }, target);
          await assertSound(target);
          if (!wasMet) {
            assert(n > (kind === 'cut' || kind === 'short' ? 5 : callsMin), `${n} calls only`);
            break;
          }
          const { state } = await replicated(new MemoryStorage(later), new MemoryStorage(target));
          assert.equal(state, 'succeeded');
          assert.deepEqual(withoutLocks(target), withoutLocks(later));
          assert.equal(await assertSound(target), 2);
        }
      }
    });
  }
}

test('a source that is pruned while it is read is read again, and the replica is sound', async () => {
  const source = new MemoryStorage(new Map(earlier));
  source.files.delete('locks/of somebody');
  const target = new MemoryStorage();
  const read = source.read.bind(source);
  let isPruned = false;
  source.read = async function* (name, range, options) {
    if (!isPruned && name.startsWith('data/')) {
      isPruned = true;
      const repository = await openSmall(new MemoryStorage(source.files), { clock });
      const [first] = (await repository.snapshots()).filter(({ id }) => !later.has(`snapshots/${id}`));
      await forgetSnapshots(repository, [first!.id]);
      await pruneRepository(repository, { graceMs: 0, maxUnused: { percent: 0 } });
    }
    yield* read(name, range, options);
  };
  const { state } = await replicated(source, target);
  assert.equal(state, 'succeeded');
  assert(isPruned);
  assert.equal(await assertSound(target.files), 1);
  assert.deepEqual(withoutLocks(target.files), withoutLocks(source.files));
});

test('a damaged pack is not copied, nor what may refer to it, and nothing is deleted', async () => {
  const source = new Map(later);
  const pack = [...source.keys()].find((name) => name.startsWith('data/') && !earlier.has(name))!;
  const bytes = Buffer.from(source.get(pack)!);
  bytes[100]! ^= 1;
  source.set(pack, bytes);
  const target = new MemoryStorage(new Map(earlier));
  target.files.delete('locks/of somebody');
  const { state, problems } = await replicated(new MemoryStorage(source), target);
  assert.equal(state, 'partial');
  const codes = problems.map(({ path, error }) => [path, (error as HoldfastError).code]);
  assert.deepEqual(codes[0], [pack, 'workflows.differs']);
  assert.deepEqual(codes[1], ['index/, snapshots/', 'workflows.incomplete']);
  assert(!target.files.has(pack));
  assert.equal(await assertSound(target.files), 2);
});

test('a config of the same size that was written anew is copied', async () => {
  const source = new Map(later);
  const config = Buffer.from(source.get('config')!);
  config[20]! ^= 1;
  source.set('config', config);
  const target = new MemoryStorage(new Map(later));
  target.files.delete('locks/of somebody');
  const { counts } = await replicated(new MemoryStorage(source), target);
  assert.equal(counts.replaced, 1);
  assert.deepEqual(withoutLocks(target.files), withoutLocks(source));
});

test('two repositories are never mixed, nor is a target changed in which somebody works', async () => {
  const other = new MemoryStorage();
  await initSmall(other, { seed: 9, clock });
  const before = withoutLocks(other.files);
  await assert.rejects(replicated(new MemoryStorage(later), other), { code: 'workflows.other-repository' });
  assert.deepEqual(withoutLocks(other.files), before);
  const target = new MemoryStorage(new Map(earlier));
  const { state, problems, counts } = await replicated(new MemoryStorage(later), target);
  assert.deepEqual([state, counts.deleted], ['warning', 0]);
  assert.deepEqual(
    problems.map(({ path }) => path),
    ['locks/'],
  );
  assert.equal(await assertSound(target.files), 3);
  const filtered = replicate({ from: new MemoryStorage(later), to: target, excludes: ['snapshots'] });
  await assert.rejects(filtered, { code: 'workflows.unsupported' });
});
