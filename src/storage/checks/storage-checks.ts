import type { StorageCheck } from './check.ts';
import { listChecks } from './list-checks.ts';
import { readChecks } from './read-checks.ts';
import { streamChecks } from './stream-checks.ts';
import { writeChecks } from './write-checks.ts';

/** Every promise of every storage. */
export const storageChecks: readonly StorageCheck[] = [
  ...readChecks,
  ...writeChecks,
  ...streamChecks,
  ...listChecks,
];
