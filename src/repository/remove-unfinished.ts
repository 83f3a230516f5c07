import { StorageError } from '#storage';
import { configName } from './format/names.ts';
import type { Repository } from './repository.ts';

/** No upload of a file takes so long. */
const unfinishedAfterMs = 86_400_000;
const untold: readonly string[] = ['storage.access-denied', 'storage.unsupported'];
/** Beginnings of our names: what else is in the place, a bucket's other users may be writing. */
const prefixes = ['data/', 'holdfast/', 'index/', 'keys/', 'locks/', 'snapshots/', configName];

/** Removes what killed writers left behind. It is nobody's data: who may not look for it does without. */
export async function removeUnfinished(
  { storage, clock }: Pick<Repository, 'storage' | 'clock'>,
  signal: AbortSignal,
): Promise<void> {
  const before = new Date(clock.nowMs() - unfinishedAfterMs);
  try {
    for (const prefix of prefixes) await storage.removeUnfinished?.(before, { prefix, signal });
  } catch (error) {
    const isUntold = error instanceof StorageError && untold.includes(error.code);
    if (!isUntold) throw error;
  }
}
