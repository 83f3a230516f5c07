import type { Command } from 'commander';
import { type DiffCounts, type DiffStatistics, diffSnapshots } from '#repository';
import { counted, formatSize } from '../output.ts';
import { action, examples, type Session } from '../session.ts';
import { addSnapshotOptions, filterOf, type SnapshotOptions } from '../snapshot-options.ts';

interface Options extends SnapshotOptions {
  metadata: boolean;
}

export function define(command: Command): void {
  addSnapshotOptions(command.argument('<before>', 'an id, or latest').argument('<after>', 'another one'))
    .option('--metadata', 'tell of changed times, owners and modes too', false)
    .addHelpText(
      'after',
      `\nEach line begins with + (added), - (removed), M (content changed), T (type changed) or U (other facts changed).\n${examples(
        'holdfast diff 5d0c6fe2 latest -r /srv/backup',
        'holdfast diff 5d0c6fe2 ae31b07c -r /srv/backup --metadata --json',
      )}`,
    )
    .action(action(run));
}

async function run(session: Session<Options>, beforeId: string, afterId: string): Promise<number> {
  const { options, output, signal } = session;
  const repository = await session.open();
  await using lock = await repository.lock({ exclusive: false, signal });
  const before = await repository.findSnapshot(beforeId, filterOf(options));
  const after = await repository.findSnapshot(afterId, filterOf(options));
  output.note(`from snapshot ${before.id.slice(0, 8)} to ${after.id.slice(0, 8)}\n`);
  const statistics = await diffSnapshots(
    repository,
    { before, after },
    {
      metadata: options.metadata,
      onChange: ({ path, modifier }) => {
        if (output.isJson) output.object({ message_type: 'change', path, modifier });
        else output.line(`${modifier.padEnd(5)}${path}`);
      },
      signal: lock.signal,
    },
  );
  if (output.isJson) {
    output.object({
      message_type: 'statistics',
      source_snapshot: before.id,
      target_snapshot: after.id,
      ...statisticsJson(statistics),
    });
  } else {
    output.note(`\n${counted(statistics.changedFiles, 'file')} changed`);
    output.note(`added:   ${countsText(statistics.added)}`);
    output.note(`removed: ${countsText(statistics.removed)}`);
  }
  return 0;
}

function statisticsJson({ changedFiles, added, removed }: DiffStatistics): Record<string, unknown> {
  return { changed_files: changedFiles, added: countsJson(added), removed: countsJson(removed) };
}

function countsJson({
  files,
  dirs,
  others,
  dataBlobs,
  treeBlobs,
  bytes,
}: DiffCounts): Record<string, number> {
  return { files, dirs, others, data_blobs: dataBlobs, tree_blobs: treeBlobs, bytes };
}

function countsText({ files, dirs, others, dataBlobs, treeBlobs, bytes }: DiffCounts): string {
  return [
    counted(files, 'file'),
    counted(dirs, 'folder'),
    counted(others, 'other'),
    `${counted(dataBlobs + treeBlobs, 'blob')} of ${formatSize(bytes)}`,
  ].join(', ');
}
