import { type Clock, type Random, toHex } from '#base';
import type { Capabilities, Storage } from '../storage.ts';
import { itemsOf } from './expect.ts';

/** Where a check works. */
export interface CheckSite {
  storage: Storage;
  /** Ends in `/`. Everything that the check writes is below it. */
  folder: string;
  random: Random;
  clock: Clock;
}

/** One promise of every storage, and how to find out whether it is kept. */
export interface StorageCheck {
  /** The promise, in words. */
  name: string;
  /** A power without which the promise is not given. */
  needs?: 'conditionalCreate' | 'atomicWrite';
  /** Moves megabytes or makes a thousand calls. */
  isHeavy?: boolean;
  /** Rejects when the promise is broken. */
  run(site: CheckSite): Promise<void>;
}

export interface CheckResult {
  name: string;
  /** 'absent': the storage does not have the power that the check needs. */
  state: 'kept' | 'broken' | 'absent';
  durationMs: number;
  /** Why it is broken. */
  error?: unknown;
}

/** Runs a check in a folder of its own, and leaves nothing behind. Never rejects. */
export async function runCheck(
  { name, needs, run }: StorageCheck,
  { storage, random, clock }: Omit<CheckSite, 'folder'>,
): Promise<CheckResult> {
  if (needs && !hasPower(storage.capabilities, needs)) return { name, state: 'absent', durationMs: 0 };
  const folder = `holdfast-check-${toHex(random.fill(new Uint8Array(8)))}/`;
  const startMs = clock.monotonicMs();
  const [outcome] = await Promise.allSettled([run({ storage, folder, random, clock })]);
  const durationMs = Math.round(clock.monotonicMs() - startMs);
  const [cleanUp] = await Promise.allSettled([removeAll(storage, folder)]);
  const failure = [outcome, cleanUp].find(({ status }) => status === 'rejected');
  if (!failure) return { name, state: 'kept', durationMs };
  return { name, state: 'broken', durationMs, error: (failure as PromiseRejectedResult).reason };
}

function hasPower(capabilities: Capabilities, power: NonNullable<StorageCheck['needs']>): boolean {
  return capabilities[power];
}

async function removeAll(storage: Storage, folder: string): Promise<void> {
  for (const { name } of await itemsOf(storage.list(folder))) await storage.delete(name);
  const left = await itemsOf(storage.list(folder));
  if (left.length > 0) throw new Error(`${left[0]?.name} was deleted and is still listed`);
}
