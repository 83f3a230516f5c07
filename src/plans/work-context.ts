import type { SealingKey } from '#catalog';
import type { Surroundings } from './open-specs.ts';
import type { Records } from './records.ts';

/** What every kind of job works with. */
export interface WorkContext {
  surroundings: Surroundings;
  records: Records;
  /** What sealed the secrets: to see that a copy of the catalog opens. */
  masterKeys: readonly SealingKey[];
  /** The state directory, into which nobody restores. */
  home: string;
  /** A folder of ours for copies and drills; jobs make what they need in it, and take it away. */
  folder: string;
}
