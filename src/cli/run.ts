import { programVersion } from './program-version.ts';

/** Runs the command that the arguments name; sets the exit code of the process. */
export async function main(args: readonly string[]): Promise<void> {
  if (args.length === 1 && ['version', '--version', '-V'].includes(args[0]!)) {
    // Asked often and by scripts, so nothing else is loaded for it.
    process.stdout.write(programVersion());
    return;
  }
  const { runProgram } = await import('./program.ts');
  await runProgram(args);
}
