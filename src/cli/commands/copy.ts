import type { Command } from 'commander';
import { type CopyReport, copySnapshots, matchesFilter } from '#repository';
import { CliError } from '../errors.ts';
import { addFromOptions, type FromOptions, openFrom } from '../from-repository.ts';
import { counted, formatSize } from '../output.ts';
import { withProgress } from '../progress.ts';
import { action, examples, exitCodePartial, type Session } from '../session.ts';
import { addSnapshotOptions, filterOf, type SnapshotOptions } from '../snapshot-options.ts';

interface Options extends SnapshotOptions, FromOptions {}

export function define(command: Command): void {
  addFromOptions(addSnapshotOptions(command.argument('[id...]', 'only these')), 'what is copied from')
    .addHelpText(
      'after',
      examples(
        'holdfast copy -r s3:https://s3.example.org/second --from-repo /srv/backup --from-password-file FILE',
        'holdfast copy -r /mnt/second --from-repo /srv/backup --name shop',
      ),
    )
    .action(action(run));
}

async function run(session: Session<Options>, ids: string[]): Promise<number> {
  const { options, output, signal } = session;
  const from = await openFrom(session);
  if (!from) {
    throw new CliError('cli.usage', 'nothing to copy from was given', {
      hint: 'Give --from-repo LOCATION; -r is where the copies go.',
    });
  }
  const to = await session.open();
  const filter = filterOf(options);
  const snapshots =
    ids.length > 0
      ? await Promise.all(ids.map((id) => from.findSnapshot(id, filter)))
      : (await from.snapshots()).filter((snapshot) => matchesFilter(snapshot, filter));
  let look = () => ({ phase: 'copying', bytesDone: 0 });
  const report = await withProgress(
    output,
    () => look(),
    () =>
      copySnapshots(from, to, {
        snapshots,
        signal,
        onProgress: (live) => {
          look = () => ({
            phase: `copying snapshot ${live.snapshotsDone + 1} of ${live.snapshotsTotal}`,
            bytesDone: live.bytesDone,
          });
        },
      }),
  );
  tell(session, report);
  return report.failed.length > 0 ? exitCodePartial : 0;
}

function tell({ output }: Session<Options>, report: CopyReport): void {
  const { copied, present, failed, cutsDiffer, counts } = report;
  for (const { source, error } of failed) output.problem(`snapshot ${source.id.slice(0, 8)}`, error, 'lost');
  if (cutsDiffer)
    output.warning(
      'the two repositories cut files at other places, so copies and own backups share nothing (see init --copy-chunker-params)',
    );
  if (output.isJson) {
    output.object({
      message_type: 'summary',
      copied: copied.map(({ source, copy }) => ({ source: source.id, copy: copy.id })),
      present: present.map(({ source, copy }) => ({ source: source.id, copy: copy.id })),
      failed: failed.map(({ source, error }) => ({ source: source.id, message: error.message })),
      cuts_differ: cutsDiffer,
      data_added: counts.dataAdded,
      data_added_packed: counts.dataAddedPacked,
    });
    return;
  }
  for (const { source, copy } of copied)
    output.note(`copied ${source.id.slice(0, 8)} as ${copy.id.slice(0, 8)}`);
  output.note(
    `${counted(copied.length, 'snapshot')} copied, ${present.length} there before; ${formatSize(counts.dataAddedPacked)} stored`,
  );
}
