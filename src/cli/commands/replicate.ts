import { type Command, InvalidArgumentError, Option } from 'commander';
import { HoldfastError, systemClock } from '#base';
import { type CompareBy, type PlannedChange, type ReplicateOutcome, replicate } from '#workflows';
import { CliError } from '../errors.ts';
import { counted, formatSize } from '../output.ts';
import { fromEnvironment } from '../place-environment.ts';
import { withProgress } from '../progress.ts';
import { action, examples, exitCodePartial, type Session } from '../session.ts';
import { collectText, parseCount } from '../values.ts';

interface Options {
  checksum: boolean;
  sizeOnly: boolean;
  verify: boolean;
  versions: boolean;
  delete: boolean;
  maxDelete: { percent: number } | { count: number };
  /** False by --no-trash, undefined by default. */
  trash?: string | false;
  include?: string[];
  exclude?: string[];
  transfers?: number;
  dryRun: boolean;
}

export function define(command: Command): void {
  command
    .description(
      'Copies to a storage what is missing or changed there. A repository is copied in an order that leaves the replica sound at any time.',
    )
    .argument('<from>', 'such as /srv/files or s3:https://host/bucket/prefix')
    .argument('<to>', 'where it shall be too')
    .option('--checksum', 'read both sides where sizes are the same, and compare the contents', false)
    .option('--size-only', 'take files of the same size for the same', false)
    .option('--verify', 'read back what was written', false)
    .option('--versions', 'replay older versions, oldest first (with new ids and times)', false)
    .option('--delete', 'delete what <from> does not have', false)
    .addOption(
      new Option('--max-delete <limit>', 'change nothing when more would be deleted (10%, 500)')
        .argParser(parseLimit)
        .default({ percent: 10 }, '10%'),
    )
    .option('--trash <prefix>', 'where deleted files go first (default .holdfast-trash/TIME/)')
    .option('--no-trash', 'delete at once')
    .option('--include <pattern>', 'only these; may be repeated', collectText)
    .option('--exclude <pattern>', 'not these; may be repeated', collectText)
    .option('--transfers <count>', 'files under way at once', parseCount)
    .option('-n, --dry-run', 'tell what would be done', false)
    .addHelpText(
      'after',
      `${examples(
        'holdfast replicate s3:https://s3.example.org/backup s3:https://other.example.com/replica',
        'holdfast replicate s3:https://s3.example.org/backup/shop /mnt/disk/shop --delete --max-delete 30%',
        'holdfast replicate /srv/backup sftp:anna@host:/backup --dry-run',
      )}\nA login of its own for <from>: HOLDFAST_FROM_AWS_ACCESS_KEY_ID, HOLDFAST_FROM_SFTP_PASSWORD and so on.\n`,
    )
    .action(action(run));
}

async function run(session: Session<Options>, fromLocation: string, toLocation: string): Promise<number> {
  const { options, output, signal } = session;
  const environment = fromEnvironment(process.env);
  const from = await session.openPlace(fromLocation, { asOf: options.asOf, environment });
  const to = await session.openPlace(toLocation);
  let look = () => ({ phase: 'listing', bytesDone: 0 });
  const outcome = await withProgress(
    output,
    () => look(),
    () =>
      replicate({
        from,
        to,
        compareBy: compareByOf(options),
        isWithVersions: options.versions,
        verify: options.verify,
        ...(options.delete && { deletes: { max: options.maxDelete, trash: trashOf(options) } }),
        includes: options.include,
        excludes: options.exclude,
        filesAtOnce: options.transfers,
        dryRun: options.dryRun,
        signal,
        onProblem: ({ path, error, gravity }) => output.problem(path, error, gravity),
        ...(options.dryRun && { onChange: (change) => tellChange(session, change) }),
        onProgress: (live) => {
          look = () =>
            live.phase === 'listing'
              ? { phase: `listing, ${counted(live.filesListed, 'file')}`, bytesDone: 0 }
              : live;
        },
      }),
  );
  tell(session, outcome);
  return outcome.state === 'partial' ? exitCodePartial : 0;
}

function compareByOf({ checksum, sizeOnly }: Options): CompareBy {
  if (checksum && sizeOnly) {
    throw new CliError('cli.usage', '--checksum and --size-only exclude each other', {
      hint: 'Give one of them.',
    });
  }
  return checksum ? 'content' : sizeOnly ? 'size' : 'facts';
}

/** `.holdfast-trash/2026-11-24T03-00-05Z/`, without what some file systems do not take. */
function trashOf({ trash, versions }: Options): string | undefined {
  if (trash === false || versions) return undefined;
  const time = new Date(systemClock.nowMs()).toISOString().replace(/\.\d+/, '').replaceAll(':', '-');
  return `${(trash ?? `.holdfast-trash/${time}`).replace(/^\/+|\/+$/g, '')}/`;
}

function parseLimit(text: string): Options['maxDelete'] {
  const match = /^(\d{1,3})%$/.exec(text);
  if (match && Number(match[1]) <= 100) return { percent: Number(match[1]) };
  if (match) throw new InvalidArgumentError('Write a share like 10%, or a number of files.');
  return { count: parseCount(text) };
}

const doings = {
  create: 'copy',
  replace: 'replace',
  compare: 'compare',
  replay: 'replay',
  delete: 'delete',
} as const;

function tellChange({ output }: Session<Options>, { action, name, sizeBytes }: PlannedChange): void {
  if (output.isJson) output.object({ message_type: 'change', action, item: name, size: sizeBytes });
  else output.line(`would ${doings[action]} ${name} (${formatSize(sizeBytes)})`);
}

function tell({ output, options }: Session<Options>, outcome: ReplicateOutcome): void {
  const { counts, problems, progress, state, isRepository } = outcome;
  if (output.isJson) {
    output.object({
      message_type: 'summary',
      state,
      dry_run: options.dryRun,
      is_repository: isRepository,
      files_new: counts.created,
      files_changed: counts.replaced,
      files_unmodified: counts.unchanged,
      files_deleted: counts.deleted,
      files_vanished: counts.vanished,
      versions_replayed: counts.versions,
      server_side_copies: counts.byService,
      bytes_copied: counts.bytesCopied,
      files_planned: progress.filesTotal,
      bytes_planned: progress.bytesTotal,
      errors: problems.map(({ path, error, gravity }) => ({
        item: path,
        gravity,
        code: error instanceof HoldfastError ? error.code : undefined,
        message: error.message,
      })),
    });
    return;
  }
  if (options.dryRun) {
    output.note(
      `${counted(progress.filesTotal, 'file')} to copy, ${formatSize(progress.bytesTotal)}; nothing was changed`,
    );
    return;
  }
  const parts = [
    `${counted(counts.created + counts.replaced, 'file')} copied (${formatSize(counts.bytesCopied)})`,
    `${counts.unchanged} unchanged`,
    ...(counts.versions > 0 ? [`${counted(counts.versions, 'version')} replayed`] : []),
    ...(options.delete ? [`${counts.deleted} deleted`] : []),
    ...(counts.byService > 0 ? [`${counts.byService} copied by the service itself`] : []),
    ...(problems.length > 0 ? [counted(problems.length, 'problem')] : []),
  ];
  output.note(parts.join(', '));
}
