import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where Holdfast keeps what is its own: HOLDFAST_HOME, or a folder of the user's (design: "Where things live"). */
export function stateDirectory(environment: NodeJS.ProcessEnv): string {
  if (environment.HOLDFAST_HOME) return environment.HOLDFAST_HOME;
  const shared = '/var/lib/holdfast';
  if (environment.INVOCATION_ID && existsSync(shared)) return shared;
  return join(environment.XDG_DATA_HOME || join(homedir(), '.local/share'), 'holdfast');
}
