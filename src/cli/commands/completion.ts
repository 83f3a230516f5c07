import { Argument, type Command } from 'commander';
import { type Shell, shells, writeCompletion } from '../completion.ts';
import { examples } from '../session.ts';

export function define(command: Command, buildAll: () => Promise<Command>): void {
  command
    .addArgument(new Argument('<shell>', 'whose script').choices(Object.keys(shells)))
    .addHelpText(
      'after',
      examples(
        'source <(holdfast completion bash)',
        'holdfast completion zsh > /usr/local/share/zsh/site-functions/_holdfast',
        'holdfast completion fish > ~/.config/fish/completions/holdfast.fish',
      ),
    )
    .action(async (shell: Shell) => {
      process.stdout.write(writeCompletion(shell, await buildAll()));
    });
}
