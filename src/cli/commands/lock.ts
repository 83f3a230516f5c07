import type { Command } from 'commander';
import { loadImmutableRule, saveImmutableRule } from '#repository';
import { CliError } from '../errors.ts';
import {
  addLockOptions,
  describeRule,
  type LockOptions,
  setRule,
  warnOfOlderSnapshots,
} from '../lock-options.ts';
import { action, examples, type Session } from '../session.ts';

interface Options extends LockOptions {
  off: boolean;
}

export function define(command: Command): void {
  addLockOptions(command)
    .option('--off', 'lock no further snapshots; what is locked stays so until its date', false)
    .addHelpText(
      'after',
      examples(
        'holdfast lock -r s3:https://host/bucket/shop                     # tell the rule',
        'holdfast lock -r s3:https://host/bucket/shop --lock-mode compliance --lock-days 30',
        'holdfast lock -r s3:https://host/bucket/shop --off',
      ),
    )
    .action(action(run));
}

async function run({ options, output, open }: Session<Options>): Promise<number> {
  const { off, lockDays, lockMode } = options;
  if (off && lockDays !== undefined)
    throw new CliError('cli.usage', '--off and --lock-days exclude each other', {
      hint: 'Give one of them.',
    });
  const repository = await open();
  if (off) await saveImmutableRule(repository, undefined);
  else if (lockDays !== undefined) await setRule(repository, { mode: lockMode, days: lockDays });
  const rule = await loadImmutableRule(repository);
  if (rule?.isTampered)
    output.warning('the file of the rule was hidden or written over; the next backup puts it back');
  if (rule) await warnOfOlderSnapshots(output, repository, rule);
  if (output.isJson) output.object({ message_type: 'lock', mode: rule?.mode, days: rule?.days ?? 0 });
  else output.line(rule ? `new snapshots are locked: ${describeRule(rule)}` : 'snapshots are not locked');
  return 0;
}
