import type { Clock, Random } from '#base';
import type { Storage } from '../storage.ts';

/** Where a place is tried out. */
export interface ProbeSite {
  storage: Storage;
  /** Beginning of every name. No folder: a disk keeps those when they are empty. */
  prefix: string;
  clock: Clock;
  random: Random;
}

export interface ProbeStep {
  name: string;
  /** Without it nothing more can be said. */
  isNeeded?: boolean;
  /** Resolves with what was seen; throws `Absent` when the place does not have the power, `Risky` when it has too much. */
  run(site: ProbeSite): Promise<string | undefined>;
}

/** The place does not have a power that it need not have. */
export class Absent extends Error {}

/** Our login may do what backups never need. */
export class Risky extends Error {}

export const smallBytes = Buffer.from('holdfast tries this place out');
