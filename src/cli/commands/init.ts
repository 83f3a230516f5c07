import type { Command } from 'commander';
import { CliError } from '../errors.ts';
import { addFromOptions, type FromOptions, openFrom } from '../from-repository.ts';
import { addLockOptions, describeRule, type LockOptions, setRule } from '../lock-options.ts';
import { action, examples, type Session } from '../session.ts';

interface Options extends FromOptions, LockOptions {
  copyChunkerParams: boolean;
}

export function define(command: Command): void {
  addLockOptions(addFromOptions(command, 'the other repository'))
    .option('--copy-chunker-params', 'cut files as --from-repo does, so that copies deduplicate', false)
    .addHelpText(
      'after',
      examples(
        'holdfast init -r /srv/backup',
        'HOLDFAST_PASSWORD_FILE=/etc/backup.password holdfast init -r /srv/backup',
        'holdfast init -r s3:https://host/bucket/shop --lock-mode compliance --lock-days 30',
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
  const other = await openFrom(session);
  const polynomial = other ? { chunkerPolynomial: other.config.chunkerPolynomial } : {};
  const repository = await session.init(polynomial);
  const { lockMode: mode, lockDays: days } = options;
  const rule = days === undefined ? undefined : { mode, days };
  if (rule) await setRule(repository, rule);
  if (output.isJson) {
    const { id, storage } = repository;
    output.object({ message_type: 'initialized', id, repository: storage.location, lock: rule });
    return 0;
  }
  output.note(`made repository ${repository.id.slice(0, 10)} at ${repository.storage.location}`);
  if (rule) output.note(`new snapshots are locked: ${describeRule(rule)}`);
  output.note(
    'Keep the password safe and apart from this machine: without it nothing can be read, by nobody.',
  );
  return 0;
}
