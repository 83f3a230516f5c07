import { collect } from '#base';
import { type FileVersion, type LockMode, type ReadOptions, StorageError } from '#storage';
import { RepositoryError } from './errors.ts';
import { forEachAtOnce } from './for-each-at-once.ts';
import type { BlobId } from './format/ids.ts';
import { malformed, parseJson, recordOf } from './format/json.ts';
import { configName, nameOf } from './format/names.ts';
import type { BlobType } from './index/blob-table.ts';
import { findUsedBlobs } from './prune/used-blobs.ts';
import type { Repository } from './repository.ts';
import type { StoredSnapshot } from './snapshot/snapshot.ts';
import { readWhole } from './unpacked-raw.ts';

/** How long a snapshot cannot be deleted by anybody who holds the storage's key, from its backup on. */
export interface ImmutableRule {
  mode: LockMode;
  days: number;
}

interface FoundRule extends ImmutableRule {
  /** Its file was hidden or written over by somebody who does not know the password; an older version told the rule. */
  isTampered?: true;
}

/**
 * Ours, beside restic's files, which restic passes over. Sealed JSON `{"version":1,"mode":…,"days":…}`; 0 days are
 * no rule, since a locked file cannot be deleted.
 */
const ruleName = 'holdfast/immutable';
const whatItIs = 'the rule of immutability';

/**
 * The repository's own rule; undefined when it has none. Where the storage keeps versions, a file that was hidden or
 * written over does not end the rule: the newest version that is really ours counts.
 * @throws RepositoryError 'repository.damaged'
 */
export async function loadImmutableRule(
  repository: Repository,
  options: ReadOptions = {},
): Promise<FoundRule | undefined> {
  try {
    return ruleIn(repository, await readWhole(repository.storage, ruleName, options));
  } catch (error) {
    const isAbsent = error instanceof StorageError && error.code === 'storage.not-found';
    const isForeign = error instanceof RepositoryError;
    if (!isAbsent && !isForeign) throw error;
    const rule = await ruleInVersions(repository, options);
    if (rule) return { ...rule, isTampered: true };
    if (isForeign) throw error;
    return undefined;
  }
}

function ruleIn(repository: Repository, sealed: Uint8Array): ImmutableRule | undefined {
  const { version, mode, days } = recordOf(parseJson(repository.unpacked.open(sealed), whatItIs), whatItIs);
  if (version !== 1 || (mode !== 'governance' && mode !== 'compliance') || !isDays(days))
    throw malformed(whatItIs, 'mode or days are missing');
  return days === 0 ? undefined : { mode, days };
}

/** Who may not list versions sees none. */
async function ruleInVersions(
  repository: Repository,
  options: ReadOptions,
): Promise<ImmutableRule | undefined> {
  const { versions } = repository.storage;
  if (!versions) return undefined;
  try {
    const contents: FileVersion[] = [];
    for await (const version of versions.list(ruleName, options))
      if (version.name === ruleName && !version.isDeleteMarker) contents.push(version);
    contents.sort((a, b) => (b.modifiedAt?.getTime() ?? 0) - (a.modifiedAt?.getTime() ?? 0));
    for (const { versionId } of contents) {
      try {
        return ruleIn(repository, await collect(versions.read(ruleName, versionId, undefined, options)));
      } catch (error) {
        if (!(error instanceof RepositoryError)) throw error;
      }
    }
    return undefined;
  } catch (error) {
    if (error instanceof StorageError && untold.includes(error.code)) return undefined;
    throw error;
  }
}

const untold: readonly string[] = ['storage.access-denied', 'storage.unsupported'];

/** Sets the rule for snapshots to come; undefined ends it. What is locked stays so until its date. */
export async function saveImmutableRule(
  repository: Repository,
  rule: ImmutableRule | undefined,
): Promise<void> {
  const { mode, days } = rule ?? { mode: 'governance', days: 0 };
  const json = JSON.stringify({ version: 1, mode, days });
  await repository.storage.write(ruleName, repository.unpacked.seal('index', json).bytes);
}

/** What became of a snapshot by the rule. */
interface KeptImmutable {
  /** Nobody can delete it before. */
  until?: Date;
  /** 'tampered': the rule was put back and heeded; 'lost': there is none, and the snapshot before was locked. */
  fault?: 'tampered' | 'lost';
}

/**
 * Locks a new snapshot by the repository's rule, where it has one, and tells when somebody meddled with the rule.
 * @throws StorageError 'storage.unsupported' when the place has no object lock
 */
export async function keepImmutable(
  repository: Repository,
  { snapshot, before }: { snapshot: StoredSnapshot; before: StoredSnapshot | undefined },
  options: { signal?: AbortSignal | undefined } = {},
): Promise<KeptImmutable> {
  const rule = await loadImmutableRule(repository, options);
  if (!rule) {
    const isLost = before && (await hasLostRule(repository, { snapshot, before }, options));
    return isLost ? { fault: 'lost' } : {};
  }
  if (rule.isTampered) await saveImmutableRule(repository, rule);
  const { until } = await makeImmutable(repository, snapshot, rule, options);
  return { until, ...(rule.isTampered && { fault: 'tampered' as const }) };
}

/**
 * Whether the snapshot before was locked although the repository has no rule now: then somebody took the rule away,
 * unless the bucket itself locks what is written.
 */
async function hasLostRule(
  { storage, clock }: Repository,
  { snapshot, before }: { snapshot: StoredSnapshot; before: StoredSnapshot },
  options?: ReadOptions,
): Promise<boolean> {
  const { retention } = storage;
  // An ended rule is still there, with 0 days.
  if (!retention || (await storage.stat(ruleName, options))) return false;
  const isLocked = async ({ id }: StoredSnapshot): Promise<boolean> => {
    const until = await retention.retainedUntil(nameOf('snapshots', id), options);
    return until !== undefined && until.getTime() > clock.nowMs();
  };
  try {
    return (await isLocked(before)) && !(await isLocked(snapshot));
  } catch (error) {
    // A bucket without object lock never locked anything; who may not look at locks sees none.
    if (error instanceof StorageError && untold.includes(error.code)) return false;
    throw error;
  }
}

interface MadeImmutable {
  until: Date;
  fileCount: number;
}

const dayMs = 86_400_000;
const requestsMax = 16;

/**
 * Locks everything that a snapshot needs to be restored, for the days of the rule from now on: its packs, all index
 * and key files, config, rule, and the snapshot itself, last. Locks are only made and extended, so it may be
 * repeated. The date is the end of a day (UTC), so that further backups of one day find it set.
 * @throws StorageError 'storage.unsupported' when the place has no object lock
 */
async function makeImmutable(
  repository: Repository,
  snapshot: StoredSnapshot,
  { mode, days }: ImmutableRule,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<MadeImmutable> {
  const { retention, location, capabilities } = repository.storage;
  if (!retention) {
    throw new StorageError('storage.unsupported', `${location} has no object lock`, {
      hint: 'Use a bucket with object lock, or end the rule with `holdfast lock --off`.',
    });
  }
  await using lock = await repository.lock({ exclusive: false, signal });
  const until = new Date(Math.ceil(repository.clock.nowMs() / dayMs + days) * dayMs);
  const names = await namesFor(repository, snapshot, lock.signal);
  const extend = async (name: string): Promise<void> => {
    lock.signal.throwIfAborted();
    await retention.extend(name, until, { mode, signal: lock.signal });
  };
  await forEachAtOnce(names, Math.min(requestsMax, capabilities.concurrency), extend);
  await extend(nameOf('snapshots', snapshot.id));
  return { until, fileCount: names.size + 1 };
}

/** All but the snapshot's own file. */
async function namesFor(
  repository: Repository,
  snapshot: StoredSnapshot,
  signal: AbortSignal,
): Promise<Set<string>> {
  const { storage, unpacked } = repository;
  const names = new Set([configName, ruleName]);
  for await (const { name } of storage.list('keys/', { signal })) names.add(name);
  // Before the index files are listed: a prune meanwhile is kept out by our lock, a backup only adds.
  const reader = await repository.blobReader();
  const index = await repository.index();
  const used = await findUsedBlobs({ index, reader, snapshots: [snapshot], signal });
  for await (const { id } of unpacked.list('index', { signal })) names.add(nameOf('index', id));
  index.table.forEach((_type, _id, place, slot) => {
    if (used.hasSlot(slot)) names.add(nameOf('data', index.packs.idOf(place.pack)));
  });
  for (const blob of used.onlyMarked) {
    const [type, id] = blob.split(' ') as [BlobType, BlobId];
    for (const place of index.places(type, id)) names.add(nameOf('data', index.packs.idOf(place.pack)));
  }
  return names;
}

function isDays(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
