import { type Clock, HoldfastError } from '#base';
import type { Configured, SnapshotRecord } from '#catalog';
import type { RepositorySpec, RepositoryStatus } from '#contract';
import { initRepository, type Repository, RepositoryError, type StoredSnapshot } from '#repository';
import { openRepositorySpec, openStorageSpec, type Surroundings } from './open-specs.ts';
import type { Records } from './records.ts';

/**
 * Makes sure that there is a repository: makes one where the place is empty, unless it is to be adopted; opens the one
 * that is there.
 * @throws RepositoryError 'repository.absent', 'repository.wrong-password' …
 */
export async function makeRepository(spec: RepositorySpec, surroundings: Surroundings): Promise<void> {
  try {
    await using _opened = await openRepositorySpec(spec, surroundings);
    return;
  } catch (error) {
    const isAbsent = error instanceof RepositoryError && error.code === 'repository.absent';
    if (!isAbsent || spec.adopt) throw error;
  }
  const storage = await openStorageSpec(spec, surroundings);
  try {
    await initRepository({ storage, password: await surroundings.secret(spec.password) });
  } finally {
    await storage.close();
  }
}

/**
 * Reads what a repository has, whoever wrote it, into the catalog, and how it stands. A repository that cannot be had
 * is a status, not an error.
 */
export async function lookAtRepository(
  { records, surroundings, clock }: { records: Records; surroundings: Surroundings; clock: Clock },
  { name, spec }: Pick<Configured<RepositorySpec>, 'name' | 'spec'>,
): Promise<Omit<RepositoryStatus, 'isOnThisMachine'>> {
  const seenAt = new Date(clock.nowMs()).toISOString();
  const seen = await look().catch((error: unknown) => unwell(error, seenAt));
  return noteRepository(records, name, seen);

  async function look(): Promise<Omit<RepositoryStatus, 'isOnThisMachine'>> {
    await using opened = await openRepositorySpec(spec, surroundings);
    const repository = opened.thing;
    const snapshots = await repository.snapshots();
    await recordSnapshots(records, name, snapshots);
    const space = await repository.storage.space?.();
    return {
      state: 'ready',
      seenAt,
      resticId: repository.id,
      snapshotCount: snapshots.length,
      usedBytes: await usedBytes(repository),
      ...(space && { freeBytes: space.freeBytes }),
    };
  }
}

type KnownStatus = Omit<RepositoryStatus, 'isOnThisMachine'>;

/** Adds to what is known of a repository. What a check found wrong, only a check finds well again. */
export async function noteRepository(
  records: Records,
  name: string,
  news: Partial<KnownStatus>,
): Promise<KnownStatus> {
  const setting = `repository.${name}`;
  const known = await records.settings.find<KnownStatus>(setting);
  const isChecked = news.lastCheckedAt !== undefined;
  const isDamaged = known?.state === 'damaged' && news.state === 'ready' && !isChecked;
  const { reason: _, ...kept } = known ?? { state: 'unknown' as const };
  const status: KnownStatus = {
    ...kept,
    ...news,
    ...(news.state === undefined && known?.reason && { reason: known.reason }),
    ...(isDamaged && { state: 'damaged', ...(known.reason && { reason: known.reason }) }),
  };
  await records.settings.save(setting, status);
  return status;
}

/** What our tags say, and nothing where another program wrote it. Badges, pins and the trash stay as they are. */
async function recordSnapshots(
  records: Records,
  repository: string,
  snapshots: readonly StoredSnapshot[],
): Promise<void> {
  const known = new Set((await records.snapshots.ofRepository(repository)).map(({ id }) => id));
  await records.snapshots.save(
    snapshots.filter(({ id }) => !known.has(id)).map((snapshot) => recordOf(repository, snapshot)),
  );
  const there = new Set<string>(snapshots.map(({ id }) => id));
  await records.snapshots.remove(
    repository,
    [...known].filter((id) => !there.has(id)),
  );
}

function recordOf(repository: string, snapshot: StoredSnapshot): Omit<SnapshotRecord, 'badges' | 'pins'> {
  const { id, tags, timeNs, hostname, paths, summary } = snapshot;
  const tagged = (name: string): string | undefined =>
    tags.find((tag) => tag.startsWith(`${name}=`))?.slice(name.length + 1);
  const [plan, source, jobId] = [tagged('plan'), tagged('name'), tagged('job')];
  return {
    repository,
    id,
    takenAt: new Date(Number(timeNs / 1_000_000n)),
    ...(plan && { plan }),
    ...(source && { source }),
    ...(jobId && { jobId }),
    facts: {
      hostname,
      paths,
      tags,
      ...(summary && {
        processedBytes: summary.totalBytesProcessed,
        itemCount: summary.totalFilesProcessed,
        addedBytes: summary.dataAddedPacked ?? summary.dataAdded,
      }),
    },
  };
}

async function usedBytes({ storage }: Repository): Promise<number> {
  let sum = 0;
  for await (const { sizeBytes } of storage.list('')) sum += sizeBytes;
  return sum;
}

const states: Record<string, RepositoryStatus['state']> = {
  'repository.absent': 'absent',
  'repository.wrong-password': 'wrong-password',
  'repository.locked': 'locked',
  'storage.unreachable': 'unreachable',
};

function unwell(error: unknown, seenAt: string): Omit<RepositoryStatus, 'isOnThisMachine'> {
  if (!(error instanceof HoldfastError)) throw error;
  const { code, message, hint } = error;
  return { state: states[code] ?? 'unknown', seenAt, reason: { code, message, ...(hint && { hint }) } };
}
