import { type Clock, seededRandom } from '#base';
import {
  type CheckOptions,
  checkRepository,
  inlineExecutor,
  type LockOwner,
  openRepository,
  type Repository,
  RepositoryError,
  type StoredSnapshot,
} from '#repository';
import { MemoryStorage } from '#storage';
import { differences, type Pair } from './files.ts';
import type { MeantKey } from './ledger.ts';
import type { Place, World } from './world.ts';

/** What waits passes at once, and what watches meanwhile never wakes. */
const hastySleep: Clock['sleep'] = (_durationMs, { signal, background } = {}) =>
  background
    ? new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
    : Promise.resolve();

const judgeAsOwner: LockOwner = {
  hostname: 'court',
  username: 'judge',
  uid: 0,
  gid: 0,
  pid: 1,
  isProcessAlive: () => true,
};

/** What a look at one place found. */
interface Verdict {
  /** In words. */
  wrong: string[];
  /** Snapshots that do not restore. */
  broken: StoredSnapshot['id'][];
}

/** The last verdict on a place, and all that it rests on. */
const verdicts = new WeakMap<Place, { evidence: readonly unknown[]; isWhole: boolean; verdict: Verdict }>();

/**
 * Looks at a copy of what is stored, without faults and in no time: every snapshot that was reported is there and
 * restores to what it was made of, a full check finds nothing worse than a hint, every password opens.
 * @returns what is wrong, in words
 */
export async function judge(world: World, options: CheckOptions = { readData: 'all' }): Promise<string[]> {
  const wrong: string[] = [];
  for (const place of world.places) {
    const verdict = await verdictOn(world, place, options);
    for (const what of verdict.wrong) wrong.push(`${place.name}: ${what}`);
  }
  return wrong;
}

/** Snapshots that do not restore. */
export async function brokenSnapshots(world: World, place: Place): Promise<StoredSnapshot['id'][]> {
  return (await verdictOn(world, place, {})).broken;
}

/** The last verdict still stands when nothing has changed since and it was no less strict. */
async function verdictOn(world: World, place: Place, options: CheckOptions): Promise<Verdict> {
  await place.look();
  const isWhole = options.readData === 'all';
  const evidence = [...storedFiles(place).entries(), ...place.ledger.facts()].flat();
  const last = verdicts.get(place);
  if (
    last &&
    (last.isWhole || !isWhole) &&
    evidence.length === last.evidence.length &&
    evidence.every((one, i) => one === last.evidence[i])
  )
    return last.verdict;
  const verdict = await judgePlace(world, place, options);
  verdicts.set(place, { evidence, isWhole, verdict });
  return verdict;
}

async function judgePlace(world: World, place: Place, options: CheckOptions): Promise<Verdict> {
  const { ledger } = place;
  const wrong: string[] = [];
  let repository: Repository | undefined;
  for (const key of ledger.keys) {
    if (repository && key.isProven && place.memory.files.has(`keys/${key.id}`)) continue;
    const opened = await openCopy(world, place, key);
    key.isProven = opened !== undefined;
    repository ??= opened;
    if (!opened) wrong.push(`no key opens with '${key.passwords.join("' or '")}'`);
  }
  if (!repository) return { wrong: [...wrong, 'nobody can open the repository'], broken: [] };
  const snapshots = await repository.snapshots();
  const present = new Set(snapshots.map((snapshot) => ledger.of(snapshot).mark));
  for (const { mark } of ledger.reported) {
    if (!present.has(mark)) wrong.push(`${mark} was reported and is gone`);
  }
  const pairs = snapshots.map((snapshot) => ({ snapshot, files: ledger.of(snapshot).files }));
  const faults = await faultsOf(repository, pairs, world.contents);
  const excused = new Set<string>();
  for (const { snapshot, fault } of faults) {
    const { mark, state, isBySleeper } = ledger.of(snapshot);
    if (state === 'meant' && isBySleeper) excused.add(snapshot.id);
    else wrong.push(`${mark} (${state}, ${snapshot.id.slice(0, 8)}): ${fault}`);
  }
  const { findings } = await checkRepository(repository, options);
  for (const { gravity, message, snapshot } of findings) {
    if (gravity === 'error' && !excused.has(snapshot ?? '')) wrong.push(`check: ${message}`);
  }
  return { wrong, broken: faults.map(({ snapshot }) => snapshot.id) };
}

/** Looks at all snapshots at once, and at each by itself when something is wrong. */
async function faultsOf(
  repository: Repository,
  pairs: readonly Pair[],
  contents: readonly Uint8Array[],
): Promise<{ snapshot: StoredSnapshot; fault: string }[]> {
  if ((await faultOf(repository, pairs, contents)) === undefined) return [];
  const faults: { snapshot: StoredSnapshot; fault: string }[] = [];
  for (const pair of pairs) {
    const fault = await faultOf(repository, [pair], contents);
    if (fault !== undefined) faults.push({ snapshot: pair.snapshot, fault });
  }
  return faults;
}

async function faultOf(
  repository: Repository,
  pairs: readonly Pair[],
  contents: readonly Uint8Array[],
): Promise<string | undefined> {
  try {
    const wrong = await differences(repository, pairs, contents);
    return wrong.length > 0 ? wrong.join(', ') : undefined;
  } catch (error) {
    return String(error);
  }
}

/** All that is stored but locks: those are of the living. */
function storedFiles({ memory }: Place): Map<string, Uint8Array> {
  return new Map([...memory.files].filter(([name]) => !name.startsWith('locks/')));
}

/** Opens a copy with the first password of a key that fits. */
async function openCopy(world: World, place: Place, key: MeantKey): Promise<Repository | undefined> {
  const random = seededRandom(1);
  const options = {
    storage: new MemoryStorage(storedFiles(place)),
    random,
    executor: inlineExecutor(random),
    clock: {
      nowMs: () => world.timeline.nowMs,
      monotonicMs: () => world.timeline.nowMs,
      sleep: hastySleep,
    },
    owner: judgeAsOwner,
    keyHint: key.id,
  };
  for (const password of key.passwords) {
    try {
      return await openRepository({ ...options, password });
    } catch (error) {
      if (!(error instanceof RepositoryError && error.code === 'repository.wrong-password')) throw error;
    }
  }
  return undefined;
}
