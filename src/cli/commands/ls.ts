import type { Command } from 'commander';
import { walkSnapshot } from '#repository';
import { tellDamagedIndex } from '../damaged-index.ts';
import { nodeJson } from '../node-json.ts';
import { nodeLine } from '../node-line.ts';
import { formatTime } from '../output.ts';
import { action, examples, exitCodePartial, type Session } from '../session.ts';
import { snapshotJson } from '../snapshot-json.ts';
import {
  addSnapshotOptions,
  filterOf,
  type SnapshotOptions,
  splitSnapshotPath,
} from '../snapshot-options.ts';

interface Options extends SnapshotOptions {
  long: boolean;
  recursive: boolean;
}

export function define(command: Command): void {
  addSnapshotOptions(command.argument('<snapshot[:path]>', 'an id, the beginning of one, or latest'))
    .option('-l, --long', 'with modes, owners, sizes and times', false)
    .option('-R, --recursive', 'with a path: what is in its folders too', false)
    .addHelpText(
      'after',
      examples(
        'holdfast ls latest -r /srv/backup                 # everything',
        'holdfast ls latest:/home/ada -r /srv/backup --long',
        'holdfast ls 5d0c6fe2:/etc -r /srv/backup --recursive --json',
      ),
    )
    .action(action(run));
}

async function run(session: Session<Options>, text: string): Promise<number> {
  const { options, output, signal } = session;
  const { id, path } = splitSnapshotPath(text);
  const repository = await session.open();
  await using lock = await repository.lock({ exclusive: false, signal });
  const snapshot = await repository.findSnapshot(id, filterOf(options));
  if (output.isJson)
    output.object({ message_type: 'snapshot', struct_type: 'snapshot', ...snapshotJson(snapshot) });
  else
    output.note(
      `snapshot ${snapshot.id.slice(0, 8)} of ${snapshot.paths.join(', ')} at ${formatTime(snapshot.timeNs)}`,
    );
  let damaged = await tellDamagedIndex(repository, output);
  const isDeep = path === undefined || options.recursive;
  const entries = walkSnapshot(repository, snapshot, {
    path,
    isEntered: () => isDeep,
    onDamaged: (folder) => {
      damaged++;
      output.problem(folder.path, folder.error, 'lost');
    },
    signal: lock.signal,
  });
  for await (const entry of entries) {
    if (output.isJson)
      output.object({ message_type: 'node', struct_type: 'node', ...nodeJson(entry.path, entry.node) });
    else output.line(nodeLine(entry.path, entry.node, { isLong: options.long }));
  }
  return damaged > 0 ? exitCodePartial : 0;
}
