import { type Command, Option } from 'commander';
import { systemClock } from '#base';
import { isMongoUrl, type OverwritePolicy, sourceKindOf } from '#sources';
import type { Storage } from '#storage';
import {
  type PreviewRequest,
  type Problem,
  previewBucketRestore,
  previewRestore,
  type RestoreOutcome,
  type RestoreProgress,
  restore,
  restoreFilter,
  restoreToBucket,
} from '#workflows';
import { counted, formatSeconds, formatSize } from '../output.ts';
import { toEnvironment } from '../place-environment.ts';
import { withProgress } from '../progress.ts';
import {
  addRestoreDatabaseOptions,
  type RestoreDatabaseOptions,
  restoreIntoDatabase,
} from '../restore-database.ts';
import { action, examples, exitCodePartial, type Session } from '../session.ts';
import {
  addSnapshotOptions,
  filterOf,
  type SnapshotOptions,
  splitSnapshotPath,
} from '../snapshot-options.ts';
import { collectText } from '../values.ts';

interface Options extends SnapshotOptions, RestoreDatabaseOptions {
  overwrite: OverwritePolicy;
  sparse: boolean;
  verify: boolean;
  /** False by --no-owner. */
  owner: boolean;
}

export function define(command: Command): void {
  addSnapshotOptions(command.argument('<snapshot[:path]>', 'an id, the beginning of one, or latest'))
    .addOption(
      new Option('-t, --target <folder>', 'where it is restored to: a folder, a bucket, or a database')
        .env('HOLDFAST_TARGET')
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--overwrite <when>', 'what happens to files that are there')
        .choices(['never', 'if-changed', 'if-newer', 'always'])
        .default('if-changed'),
    )
    .option('-i, --include <pattern>', 'only what matches (may be repeated)', collectText)
    .option('--iinclude <pattern>', 'the same, whatever the case of letters', collectText)
    .option('-e, --exclude <pattern>', 'not what matches (may be repeated)', collectText)
    .option('--iexclude <pattern>', 'the same, whatever the case of letters', collectText)
    .option('--verify', 'read everything back from the target and compare it', false)
    .option('-n, --dry-run', 'tell what would be written, and change nothing', false)
    .option('--sparse', 'make holes of zeros', false)
    .option('--no-owner', 'do not set owners and groups');
  addRestoreDatabaseOptions(command)
    .addHelpText(
      'after',
      examples(
        'holdfast restore latest -r /srv/backup --target /tmp/restored',
        'holdfast restore latest:/home/ada/thesis -r /srv/backup --target ~/thesis-of-yesterday',
        'holdfast restore latest -r /srv/backup --target / --include "*.conf" --dry-run',
        'holdfast restore latest --name shop -r /srv/backup --target /tmp/shop --verify',
        'holdfast restore latest:/photos -r /srv/backup --target s3:https://s3.example.org/photos-again',
        'holdfast restore latest --name shop -r /srv/backup --target mongodb://db.example.org/',
      ),
    )
    .action(action(run));
}

async function run(session: Session<Options>, text: string): Promise<number> {
  const { options, output, signal } = session;
  const { id, path } = splitSnapshotPath(text);
  const repository = await session.open();
  const snapshot = await repository.findSnapshot(id, filterOf(options));
  if (isMongoUrl(options.target)) return restoreIntoDatabase(session, repository, snapshot);
  const selection = {
    repository,
    snapshot,
    ...(path === undefined ? {} : { path }),
    target: options.target,
    overwrite: options.overwrite,
    isWanted: restoreFilter({
      includes: options.include,
      includesIgnoringCase: options.iinclude,
      excludes: options.exclude,
      excludesIgnoringCase: options.iexclude,
    }),
    onProblem: (problem: Problem) => output.problem(problem.path, problem.error, problem.gravity),
    signal,
  };
  const isBucket = sourceKindOf(options.target) === 'bucket';
  const storage = isBucket
    ? await session.openPlace(options.target, { environment: toEnvironment(process.env) })
    : undefined;
  if (options.dryRun) return preview(session, { ...selection, storage });
  const startedMs = systemClock.monotonicMs();
  let progress: RestoreProgress | undefined;
  const outcome = await withProgress(
    output,
    () => ({
      phase: progress?.bytesVerified ? 'reading back' : 'restoring',
      bytesDone: progress?.bytesDone ?? 0,
      bytesTotal: progress?.bytesTotal,
      filesDone: progress?.filesDone ?? 0,
      filesTotal: progress?.filesTotal,
    }),
    () => {
      const { verify, sparse: isSparse } = options;
      const onProgress = (live: RestoreProgress) => {
        progress = live;
      };
      if (storage) return restoreToBucket({ ...selection, storage, verify, onProgress });
      const owners = options.owner ? {} : { owners: false };
      return restore({ ...selection, isSparse, verify, ...owners, onProgress });
    },
  );
  tell(session, outcome, (systemClock.monotonicMs() - startedMs) / 1000);
  return outcome.state === 'succeeded' ? 0 : exitCodePartial;
}

async function preview(
  { output }: Session<Options>,
  { storage, ...request }: PreviewRequest & { storage: Storage | undefined },
): Promise<number> {
  const onEntry: PreviewRequest['onEntry'] = ({ path, decision }) => {
    if (!output.isJson && decision !== 'keep') output.note(`${decisions[decision]}  ${path}`);
  };
  const outcome = storage
    ? await previewBucketRestore({ ...request, storage, onEntry })
    : await previewRestore({ ...request, onEntry });
  const { state, created, replaced, unchanged, left, sizeBytes } = outcome;
  if (output.isJson) {
    const counts = { created, replaced, unchanged, left, total_bytes: sizeBytes };
    output.object({ message_type: 'summary', dry_run: true, state, ...counts });
  } else {
    const counts = `${created} made, ${replaced} replaced, ${unchanged} unchanged, ${left} left as they are`;
    output.note(`dry run: ${counts}; ${formatSize(sizeBytes)} would be written`);
  }
  return state === 'succeeded' ? 0 : exitCodePartial;
}

const decisions = { create: 'make   ', replace: 'replace', keep: 'keep   ', leave: 'leave  ' };

function tell({ output }: Session<Options>, outcome: RestoreOutcome, seconds: number): void {
  const { summary, progress, problems, state, verified } = outcome;
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
      bytes_resumed: progress.bytesResumed,
      files_verified: verified?.files,
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
  if (verified)
    output.note(
      `read back ${counted(verified.files, 'file')}, ${formatSize(verified.sizeBytes)}, and compared`,
    );
  if (state !== 'succeeded')
    output.note(`not whole: ${counted(problems.length, 'problem')}, listed above (${state})`);
}
