import { formatSize } from '#base';
import { type Repository, RepositoryError } from '#repository';

/** What a repository takes, and what there is for it. */
export interface RepositoryUse {
  /** All its files in the storage. */
  storedBytes: number;
  /** What it may grow to: the quota, or less where the storage has no room for that. */
  mostBytes: number;
  /** How much of that is used, 0 to 1. */
  share: number;
}

/** From here on somebody should know. */
export const nearlyFullShare = 0.8;

export function isNearlyFull({ share }: RepositoryUse): boolean {
  return share >= nearlyFullShare;
}

/**
 * Adds up what the repository's files take; the storage tells its free room where it can.
 * @param options.quotaBytes what the repository may take at most
 */
export async function repositoryUse(
  { storage }: Pick<Repository, 'storage'>,
  { quotaBytes, signal }: { quotaBytes: number; signal?: AbortSignal },
): Promise<RepositoryUse> {
  let storedBytes = 0;
  for await (const { sizeBytes } of storage.list('', { signal })) storedBytes += sizeBytes;
  const space = await storage.space?.({ signal });
  const mostBytes = Math.min(quotaBytes, space ? storedBytes + space.freeBytes : Number.POSITIVE_INFINITY);
  return { storedBytes, mostBytes, share: mostBytes > 0 ? storedBytes / mostBytes : 1 };
}

export function isFull({ share }: RepositoryUse): boolean {
  return share >= 1;
}

/** Refuses to begin what would make the repository larger. @throws RepositoryError 'repository.quota' */
export function assertRoom(use: RepositoryUse): void {
  if (!isFull(use)) return;
  throw new RepositoryError('repository.quota', `the repository is full: ${describeUse(use)}`, {
    hint: 'Forget snapshots and prune, or raise the quota; then back up again. `--when-full forget` does it by a rule.',
    context: { ...use },
  });
}

/** `412 GiB of 500 GiB (82 %)` */
export function describeUse({ storedBytes, mostBytes, share }: RepositoryUse): string {
  return `${formatSize(storedBytes)} of ${formatSize(mostBytes)} (${Math.floor(share * 100)} %)`;
}
