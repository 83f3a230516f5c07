import { Command, CommanderError, Help, type Option } from 'commander';
import { systemCodeOf } from '#base';
import { type CommandEntry, commands } from './command-table.ts';
import { addGlobalOptions } from './global-options.ts';
import { interruption } from './interruption.ts';
import { exitCodeOf, presentError } from './present-error.ts';

/** Parses the arguments and runs the command that they name; tells errors and sets the exit code of the process. */
export async function runProgram(
  args: readonly string[],
  more: Readonly<Record<string, CommandEntry>>,
): Promise<void> {
  endQuietlyWithTheReader();
  try {
    const program = await buildProgram({ ...commands, ...more }, args);
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      // Help is no error, and bad usage has been told.
      process.exitCode = error.exitCode === 0 ? 0 : 2;
      return;
    }
    const cause = interruption().aborted ? interruption().reason : error;
    process.stderr.write(presentError(cause, { isJson: args.includes('--json') }));
    process.exitCode = exitCodeOf(cause);
  }
}

/**
 * The program with all its commands. Only those that the arguments may mean are defined in full.
 * @param args undefined: all of them
 */
async function buildProgram(
  table: Readonly<Record<string, CommandEntry>>,
  args?: readonly string[],
): Promise<Command> {
  const program = new Command('holdfast')
    .description('Backs up your data into a restic repository and proves that it restores.')
    .showHelpAfterError('(see --help)')
    .configureHelp({ showGlobalOptions: true, optionDescription: describeOption })
    .helpCommand('help [command]', 'show the help of a command')
    .exitOverride();
  addGlobalOptions(program);
  for (const [name, { summary, load }] of Object.entries(table)) {
    const command = program
      .command(name)
      .summary(summary)
      .description(`${capitalized(summary)}.`);
    command.copyInheritedSettings(program);
    if (!args || args.includes(name)) (await load()).define(command, () => buildProgram(table));
  }
  return program;
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Without the default of a switch, which says nothing. */
function describeOption(option: Option): string {
  return new Help().optionDescription(option).replace(/ ?\(default: (?:false|true)\)/, '');
}

/** `holdfast ls … | head` closes the pipe early, and that is no fault. */
function endQuietlyWithTheReader(): void {
  process.stdout.on('error', (error) => {
    if (systemCodeOf(error) !== 'EPIPE') throw error;
    process.exit(process.exitCode ?? 0);
  });
}
