import type { Command } from 'commander';
import { CliError } from '../errors.ts';
import { action, examples, type Passwords, type Session } from '../session.ts';

interface Options {
  fromRepo?: string;
  fromPasswordFile?: string;
  copyChunkerParams: boolean;
}

export function define(command: Command): void {
  command
    .option('--copy-chunker-params', 'cut files as --from-repo does, so that copies deduplicate', false)
    .option('--from-repo <location>', 'the other repository')
    .option('--from-password-file <file>', 'file with its password (or HOLDFAST_FROM_PASSWORD)')
    .addHelpText(
      'after',
      examples(
        'holdfast init -r /srv/backup',
        'HOLDFAST_PASSWORD_FILE=/etc/backup.password holdfast init -r /srv/backup',
        'holdfast init -r /mnt/second --copy-chunker-params --from-repo /srv/backup --from-password-file FILE',
      ),
    )
    .action(action(run));
}

async function run(session: Session<Options>): Promise<number> {
  const { options, output } = session;
  if (options.copyChunkerParams !== (options.fromRepo !== undefined)) {
    throw new CliError('cli.usage', '--copy-chunker-params and --from-repo go together', {
      hint: 'Give both or neither.',
    });
  }
  const other = options.fromRepo && (await session.openAt(options.fromRepo, fromPasswords(options)));
  const polynomial = other ? { chunkerPolynomial: other.config.chunkerPolynomial } : {};
  const repository = await session.init(polynomial);
  if (output.isJson) {
    const { id, storage } = repository;
    output.object({ message_type: 'initialized', id, repository: storage.location });
    return 0;
  }
  output.note(`made repository ${repository.id.slice(0, 10)} at ${repository.storage.location}`);
  output.note(
    'Keep the password safe and apart from this machine: without it nothing can be read, by nobody.',
  );
  return 0;
}

/** Where the password of `--from-repo` comes from. */
export function fromPasswords(options: { fromPasswordFile?: string }): Passwords {
  const password = process.env.HOLDFAST_FROM_PASSWORD;
  const file = options.fromPasswordFile ?? process.env.HOLDFAST_FROM_PASSWORD_FILE;
  return {
    environment: password === undefined ? {} : { HOLDFAST_PASSWORD: password },
    ...(file === undefined ? {} : { passwordFile: file }),
  };
}
