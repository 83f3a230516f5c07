import type { Access } from '#access';
import type { Clock } from '#base';
import type { JobRunner } from '#jobs';
import type { Records, Surroundings } from '#plans';

/** What routes work with. */
export interface ServerContext {
  records: Records;
  runner: JobRunner;
  access: Access;
  surroundings: Surroundings;
  /** The state directory. */
  home: string;
  masterKeyFile: string;
  clock: Clock;
  version: string;
  startedAt: Date;
}
