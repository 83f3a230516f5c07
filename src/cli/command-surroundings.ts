import { interruption } from './interruption.ts';
import { table } from './output.ts';
import { versionNumber } from './program-version.ts';
import { stateDirectory } from './state-directory.ts';

/** What a command that is not ours is given: where the state is, when to end, how to speak. */
export function commandSurroundings() {
  return {
    home: stateDirectory(process.env),
    version: versionNumber(),
    signal: interruption(),
    table,
    say: (line: string): void => void process.stdout.write(`${line}\n`),
    warn: (line: string): void => void process.stderr.write(`${line}\n`),
  };
}
