import { type Clock, seededRandom } from '#base';
import {
  type CheckOptions,
  checkRepository,
  inlineExecutor,
  openRepository,
  type Repository,
  RepositoryError,
  type StoredSnapshot,
} from '#repository';
import { MemoryStorage } from '#storage';
import { differences } from './files.ts';
import type { Ledger } from './ledger.ts';
import type { Place, World } from './world.ts';

/** What waits passes at once, and what watches meanwhile never wakes. */
const hastySleep: Clock['sleep'] = (_durationMs, { signal, background } = {}) =>
  background
    ? new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
    : Promise.resolve();

/**
 * Looks at a copy of what is stored, without faults and in no time: every snapshot that was reported is there and
 * restores to what it was made of, a full check finds nothing worse than a hint, every password opens.
 * @returns what is wrong, in words
 */
export async function judge(world: World, options: CheckOptions = { readData: 'all' }): Promise<string[]> {
  const wrong: string[] = [];
  for (const place of world.places) {
    for (const what of await judgePlace(world, place, options)) wrong.push(`${place.name}: ${what}`);
  }
  return wrong;
}

async function judgePlace(world: World, place: Place, options: CheckOptions): Promise<string[]> {
  const { ledger } = place;
  const wrong: string[] = [];
  let repository: Repository | undefined;
  for (const key of ledger.keys) {
    if (repository && key.isProven && place.memory.files.has(`keys/${key.id}`)) continue;
    const opened = await openCopy(world, place, key.passwords);
    key.isProven = opened !== undefined;
    repository ??= opened;
    if (!opened) wrong.push(`no key opens with '${key.passwords.join("' or '")}'`);
  }
  if (!repository) return [...wrong, 'nobody can open the repository'];
  const snapshots = await repository.snapshots();
  const present = new Set(snapshots.map((snapshot) => ledger.of(snapshot).mark));
  for (const { mark } of ledger.reported) {
    if (!present.has(mark)) wrong.push(`${mark} was reported and is gone`);
  }
  const excused = new Set<string>();
  for (const { snapshot, fault } of await faultsOf(repository, snapshots, {
    ledger,
    contents: world.contents,
  })) {
    const { mark, state, isBySleeper } = ledger.of(snapshot);
    if (state === 'meant' && isBySleeper) excused.add(snapshot.id);
    else wrong.push(`${mark} (${state}, ${snapshot.id.slice(0, 8)}): ${fault}`);
  }
  const { findings } = await checkRepository(repository, options);
  for (const { gravity, message, snapshot } of findings) {
    if (gravity === 'error' && !excused.has(snapshot ?? '')) wrong.push(`check: ${message}`);
  }
  return wrong;
}

/** Snapshots that do not restore. */
export async function brokenSnapshots(world: World, place: Place): Promise<StoredSnapshot['id'][]> {
  const repository = await openCopy(world, place, place.ledger.keys[0]!.passwords);
  if (!repository) return [];
  const { ledger } = place;
  const faults = await faultsOf(repository, await repository.snapshots(), {
    ledger,
    contents: world.contents,
  });
  return faults.map(({ snapshot }) => snapshot.id);
}

async function faultsOf(
  repository: Repository,
  snapshots: readonly StoredSnapshot[],
  meant: { ledger: Ledger; contents: readonly Uint8Array[] },
): Promise<{ snapshot: StoredSnapshot; fault: string }[]> {
  const faults: { snapshot: StoredSnapshot; fault: string }[] = [];
  for (const snapshot of snapshots) {
    const fault = await faultOf(repository, snapshot, meant);
    if (fault !== undefined) faults.push({ snapshot, fault });
  }
  return faults;
}

async function faultOf(
  repository: Repository,
  snapshot: StoredSnapshot,
  { ledger, contents }: { ledger: Ledger; contents: readonly Uint8Array[] },
): Promise<string | undefined> {
  try {
    const wrong = await differences(repository, snapshot, { files: ledger.of(snapshot).files, contents });
    return wrong.length > 0 ? wrong.join(', ') : undefined;
  } catch (error) {
    return String(error);
  }
}

/** Opens a copy with the first password that fits. */
async function openCopy(
  world: World,
  { memory }: Place,
  passwords: readonly string[],
): Promise<Repository | undefined> {
  const files = [...memory.files].filter(([name]) => !name.startsWith('locks/'));
  const random = seededRandom(1);
  const options = {
    storage: new MemoryStorage(new Map(files)),
    random,
    executor: inlineExecutor(random),
    clock: {
      nowMs: () => world.timeline.nowMs,
      monotonicMs: () => world.timeline.nowMs,
      sleep: hastySleep,
    },
  };
  for (const password of passwords) {
    try {
      return await openRepository({ ...options, password });
    } catch (error) {
      if (!(error instanceof RepositoryError && error.code === 'repository.wrong-password')) throw error;
    }
  }
  return undefined;
}
