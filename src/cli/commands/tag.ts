import type { Command } from 'commander';
import { changeTags, matchesFilter } from '#repository';
import { CliError } from '../errors.ts';
import { counted } from '../output.ts';
import { action, examples, type Session } from '../session.ts';
import { addSnapshotOptions, filterOf, type SnapshotOptions } from '../snapshot-options.ts';
import { collectTags } from '../values.ts';

interface Options extends SnapshotOptions {
  add?: string[][];
  remove?: string[][];
  set?: string[][];
}

export function define(command: Command): void {
  addSnapshotOptions(command.argument('[id...]', 'only these; without any, all that the options choose'))
    .option('--add <tags>', 'tags that are added, with commas', collectTags)
    .option('--remove <tags>', 'tags that go, with commas', collectTags)
    .option('--set <tags>', 'all tags anew, with commas; "" takes all away', collectTags)
    .addHelpText(
      'after',
      examples(
        'holdfast tag 5d0c6fe2 -r /srv/backup --add keep',
        'holdfast tag --name shop --remove old -r /srv/backup',
      ),
    )
    .action(action(run));
}

async function run(session: Session<Options>, ids: string[]): Promise<number> {
  const { options, output, signal } = session;
  const change = changeOf(options);
  const repository = await session.open();
  const filter = filterOf(options);
  const chosen =
    ids.length > 0
      ? await Promise.all(ids.map((id) => repository.findSnapshot(id, filter)))
      : (await repository.snapshots()).filter((snapshot) => matchesFilter(snapshot, filter));
  const changed = await changeTags(repository, chosen, change, { signal });
  for (const { before, after } of changed) {
    if (output.isJson)
      output.object({
        message_type: 'changed',
        old_snapshot_id: before.id,
        new_snapshot_id: after.id,
        tags: after.tags,
      });
    else output.note(`${before.id.slice(0, 8)} is now ${after.id.slice(0, 8)}: ${after.tags.join(', ')}`);
  }
  if (output.isJson) output.object({ message_type: 'summary', changed_snapshots: changed.length });
  else output.note(`changed the tags of ${counted(changed.length, 'snapshot')}`);
  return 0;
}

function changeOf({ add, remove, set }: Options) {
  const flat = (lists: string[][] | undefined): string[] => (lists ?? []).flat().filter((tag) => tag !== '');
  if (set && !add && !remove) return { set: flat(set) };
  if (!set && (add || remove)) return { add: flat(add), remove: flat(remove) };
  throw new CliError('cli.usage', set ? '--set goes alone' : 'no change of tags was given', {
    hint: 'Give --add, --remove or both, or only --set.',
  });
}
