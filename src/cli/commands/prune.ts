import type { Command } from 'commander';
import { parseDurationMs } from '../global-options.ts';
import { addPruneOptions, type PruneChoices, pruneAndTell } from '../prune-options.ts';
import { action, examples, type Session } from '../session.ts';

interface Options extends PruneChoices {
  dryRun: boolean;
  grace?: number;
}

export function define(command: Command): void {
  addPruneOptions(command)
    .option('-n, --dry-run', 'show what would be freed, and change nothing', false)
    .option(
      '--grace <duration>',
      'how long packs stay marked before they go (24h); 0s deletes at once',
      parseDurationMs,
    )
    .addHelpText(
      'after',
      examples(
        'holdfast prune -r /srv/backup --dry-run',
        'holdfast prune -r /srv/backup                 # marks; a prune after a day deletes',
        'holdfast prune -r /srv/backup --grace 0s      # as restic: when surely nobody else writes',
      ),
    )
    .action(action(run));
}

async function run(session: Session<Options>): Promise<number> {
  const { options } = session;
  const repository = await session.open();
  const grace = options.grace === undefined ? {} : { graceMs: options.grace };
  await pruneAndTell(session, repository, { ...options, ...grace });
  return 0;
}
