import type { Command } from 'commander';
import { describeLock, removeAllLocks, removeStaleLocks } from '#repository';
import { counted } from '../output.ts';
import { action, examples, type Session } from '../session.ts';

interface Options {
  removeAll: boolean;
}

export function define(command: Command): void {
  command
    .option('--remove-all', 'remove every lock, also of work that may still run', false)
    .addHelpText(
      'after',
      examples('holdfast unlock -r /srv/backup', 'holdfast unlock -r /srv/backup --remove-all'),
    )
    .action(action(run));
}

async function run({ options, output, open }: Session<Options>): Promise<number> {
  const repository = await open();
  let count: number;
  if (options.removeAll) count = await removeAllLocks(repository);
  else {
    const removed = await removeStaleLocks(repository);
    for (const lock of removed)
      output.note(`removed a lock held ${describeLock(lock, repository.clock.nowMs())}`);
    count = removed.length;
  }
  if (output.isJson) output.object({ message_type: 'summary', removed_locks: count });
  else output.note(`${counted(count, 'lock')} removed`);
  return 0;
}
