import type { CommandEntry } from './command-table.ts';
import { programVersion } from './program-version.ts';

/**
 * Runs the command that the arguments name; sets the exit code of the process.
 * @param more commands that are not ours
 */
export async function main(
  args: readonly string[],
  more: Readonly<Record<string, CommandEntry>> = {},
): Promise<void> {
  if (args.length === 1 && ['version', '--version', '-V'].includes(args[0]!)) {
    // Asked often and by scripts, so nothing else is loaded for it.
    process.stdout.write(programVersion());
    return;
  }
  const { runProgram } = await import('./program.ts');
  await runProgram(args, more);
}
