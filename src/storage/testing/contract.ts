import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { systemClock, systemRandom } from '#base';
import { runCheck } from '../checks/check.ts';
import { storageChecks } from '../checks/storage-checks.ts';
import type { Storage } from '../storage.ts';

export interface StorageContract {
  /** Of the kind. */
  name: string;
  /** A storage that is empty or whose files may be anything; closed after each case. */
  open(): Promise<Storage>;
  /** What a kind cannot keep, and why. */
  skip?: readonly { reason: string; cases: readonly string[] }[];
}

/** Registers a test for each promise that every storage keeps. */
export function storageContract({ name, open, skip = [] }: StorageContract): void {
  const reasons = new Map(skip.flatMap(({ reason, cases }) => cases.map((each) => [each, reason])));
  const known = storageChecks.map((check) => check.name);
  for (const each of reasons.keys()) assert(known.includes(each), `the contract has no case "${each}"`);
  describe(`storage contract: ${name}`, () => {
    for (const check of storageChecks) {
      test(check.name, { skip: reasons.get(check.name) ?? false }, async (t) => {
        const storage = await open();
        const result = await runCheck(check, { storage, random: systemRandom, clock: systemClock });
        await storage.close();
        if (result.state === 'broken') throw result.error;
        if (result.state === 'absent') t.skip(`${name} does not claim ${check.needs}`);
      });
    }
  });
}
