import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where the caches of all repositories rest, unless the user says another place. */
export function cacheDirectory(environment: NodeJS.ProcessEnv): string {
  if (environment.HOLDFAST_HOME) return join(environment.HOLDFAST_HOME, 'cache');
  return join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'holdfast');
}
