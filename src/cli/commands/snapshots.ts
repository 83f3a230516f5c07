import type { Command } from 'commander';
import { matchesFilter, type StoredSnapshot } from '#repository';
import { isSlice } from '#workflows';
import { oplogLines } from '../oplog-lines.ts';
import { counted, formatSize, formatTime, table } from '../output.ts';
import { action, examples, exitCodePartial, type Session } from '../session.ts';
import { nameIn, snapshotJson } from '../snapshot-json.ts';
import { addSnapshotOptions, filterOf, type SnapshotOptions } from '../snapshot-options.ts';
import { parseCount } from '../values.ts';

interface Options extends SnapshotOptions {
  latest?: number;
  slices: boolean;
}

export function define(command: Command): void {
  addSnapshotOptions(command.argument('[id...]', 'only these'))
    .option('--latest <n>', 'only the newest n of each host and set of paths', parseCount)
    .option('--slices', 'every slice of MongoDB’s oplog by itself, not what they reach together', false)
    .addHelpText(
      'after',
      examples('holdfast snapshots -r /srv/backup', 'holdfast snapshots --name shop --json'),
    )
    .action(action(run));
}

async function run(session: Session<Options>, ids: string[]): Promise<number> {
  const { options, output } = session;
  const repository = await session.open();
  let damaged = 0;
  await using _lock = await repository.lock({ exclusive: false });
  const all = await repository.snapshots({
    onDamaged: (id, error) => {
      damaged++;
      output.problem(`snapshot ${id.slice(0, 8)}`, error, 'lost');
    },
  });
  const chosen =
    ids.length > 0
      ? await Promise.all(ids.map((id) => repository.findSnapshot(id, filterOf(options))))
      : all.filter((snapshot) => matchesFilter(snapshot, filterOf(options)));
  const shown = options.latest === undefined ? chosen : newestOfEach(chosen, options.latest);
  if (output.isJson) output.object(shown.map(snapshotJson));
  else if (options.slices || ids.length > 0) printTable(shown, session);
  else {
    printTable(
      shown.filter((snapshot) => !isSlice(snapshot)),
      session,
    );
    for (const line of oplogLines(shown)) output.line(line);
  }
  return damaged > 0 ? exitCodePartial : 0;
}

function printTable(snapshots: readonly StoredSnapshot[], { output }: Session<Options>): void {
  const rows = snapshots.map((snapshot) => [
    snapshot.id.slice(0, 8),
    formatTime(snapshot.timeNs),
    snapshot.hostname,
    nameIn(snapshot.tags) ?? '',
    snapshot.tags.filter((tag) => !tag.startsWith('name=')).join(', '),
    snapshot.summary ? formatSize(snapshot.summary.totalBytesProcessed) : '',
    snapshot.paths.join(', '),
  ]);
  if (rows.length > 0)
    for (const line of table(['ID', 'Time', 'Host', 'Name', 'Tags', 'Size', 'Paths'], rows))
      output.line(line);
  output.note(counted(rows.length, 'snapshot'));
}

/** The list is sorted by time, newest last, and stays so. */
function newestOfEach(snapshots: readonly StoredSnapshot[], count: number): StoredSnapshot[] {
  const seen = new Map<string, number>();
  const isAmongNewest = ({ hostname, paths }: StoredSnapshot): boolean => {
    const key = JSON.stringify([hostname, paths.toSorted()]);
    const rank = (seen.get(key) ?? 0) + 1;
    seen.set(key, rank);
    return rank <= count;
  };
  return snapshots.toReversed().filter(isAmongNewest).reverse();
}
