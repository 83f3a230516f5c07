import { type Command, Option } from 'commander';
import { systemClock } from '#base';
import type { OverwritePolicy } from '#sources';
import { type RestoreOutcome, type RestoreProgress, restore } from '#workflows';
import { counted, formatSeconds, formatSize } from '../output.ts';
import { withProgress } from '../progress.ts';
import { action, examples, exitCodePartial, type Session } from '../session.ts';
import {
  addSnapshotOptions,
  filterOf,
  type SnapshotOptions,
  splitSnapshotPath,
} from '../snapshot-options.ts';

interface Options extends SnapshotOptions {
  target: string;
  overwrite: OverwritePolicy;
  sparse: boolean;
  /** False by --no-owner. */
  owner: boolean;
}

export function define(command: Command): void {
  addSnapshotOptions(command.argument('<snapshot[:path]>', 'an id, the beginning of one, or latest'))
    .requiredOption('-t, --target <folder>', 'where it is restored to')
    .addOption(
      new Option('--overwrite <when>', 'what happens to files that are there')
        .choices(['never', 'if-changed', 'if-newer', 'always'])
        .default('if-changed'),
    )
    .option('--sparse', 'make holes of zeros', false)
    .option('--no-owner', 'do not set owners and groups')
    .addHelpText(
      'after',
      examples(
        'holdfast restore latest -r /srv/backup --target /tmp/restored',
        'holdfast restore latest:/home/ada/thesis -r /srv/backup --target ~/thesis-of-yesterday',
        'holdfast restore latest --name shop -r /srv/backup --target /tmp/shop',
      ),
    )
    .action(action(run));
}

async function run(session: Session<Options>, text: string): Promise<number> {
  const { options, output, signal } = session;
  const { id, path } = splitSnapshotPath(text);
  const repository = await session.open();
  const snapshot = await repository.findSnapshot(id, filterOf(options));
  const startedMs = systemClock.monotonicMs();
  let progress: RestoreProgress | undefined;
  const outcome = await withProgress(
    output,
    () => ({
      phase: 'restoring',
      bytesDone: progress?.bytesDone ?? 0,
      bytesTotal: progress?.bytesTotal,
      filesDone: progress?.filesDone ?? 0,
      filesTotal: progress?.filesTotal,
    }),
    () =>
      restore({
        repository,
        snapshot,
        ...(path === undefined ? {} : { path }),
        target: options.target,
        overwrite: options.overwrite,
        isSparse: options.sparse,
        ...(options.owner ? {} : { owners: false }),
        onProgress: (live) => {
          progress = live;
        },
        onProblem: (problem) => output.problem(problem.path, problem.error, problem.gravity),
        signal,
      }),
  );
  tell(session, outcome, (systemClock.monotonicMs() - startedMs) / 1000);
  return outcome.state === 'succeeded' ? 0 : exitCodePartial;
}

function tell({ output }: Session<Options>, outcome: RestoreOutcome, seconds: number): void {
  const { summary, progress, problems, state } = outcome;
  if (output.isJson) {
    output.object({
      message_type: 'summary',
      state,
      seconds_elapsed: seconds,
      total_files: progress.filesTotal,
      total_bytes: progress.bytesTotal,
      bytes_restored: progress.bytesDone,
      folders: summary.folders,
      files_restored: summary.files,
      files_unchanged: summary.unchanged,
      files_left: summary.left,
      links: summary.links,
      others: summary.others,
      problems: problems.length,
    });
    return;
  }
  const { folders, files, unchanged, left, links, others } = summary;
  const parts = [
    counted(files, 'file'),
    counted(folders, 'folder'),
    ...(links > 0 ? [counted(links, 'further name')] : []),
    ...(others > 0 ? [counted(others, 'link and device')] : []),
    ...(unchanged > 0 ? [`${unchanged} unchanged`] : []),
    ...(left > 0 ? [`${left} left as they were`] : []),
  ];
  output.note(`restored ${parts.join(', ')}: ${formatSize(progress.bytesDone)} in ${formatSeconds(seconds)}`);
  if (state !== 'succeeded')
    output.note(`not whole: ${counted(problems.length, 'problem')}, listed above (${state})`);
}
