import { type Command, Option } from 'commander';
import { systemClock } from '#base';
import type { CompressionMode, StoredSnapshot, WriteProgress } from '#repository';
import type { FilesSource, Source, Totals } from '#sources';
import { type BackupOutcome, backup, describeUse, isNearlyFull, type ReadBackOutcome } from '#workflows';
import { addSliceOptions, backupSlices, type SliceOptions, takesSlices } from '../backup-slices.ts';
import { addSourceOptions, chooseSource, type SourceOptions } from '../backup-source.ts';
import { CliError } from '../errors.ts';
import { counted, formatSeconds, formatSize } from '../output.ts';
import { fromEnvironment } from '../place-environment.ts';
import { versionNumber } from '../program-version.ts';
import { withProgress } from '../progress.ts';
import { proveSnapshot } from '../prove-snapshot.ts';
import { addQuotaOptions, type QuotaOptions, quotaOptions, tellRoom } from '../quota-options.ts';
import { action, examples, exitCodePartial, type Session } from '../session.ts';
import { summaryJson } from '../snapshot-json.ts';
import { collectTags, parseSize, parseTimeNs } from '../values.ts';

interface Options extends SourceOptions, QuotaOptions, SliceOptions {
  tag?: string[][];
  name?: string;
  host?: string;
  time?: bigint;
  parent?: string;
  force: boolean;
  dryRun: boolean;
  skipIfUnchanged: boolean;
  withAtime: boolean;
  ignoreInode: boolean;
  ignoreCtime: boolean;
  scan: boolean;
  /** False by --no-extra-verify. */
  extraVerify: boolean;
  /** False by --no-read-back. */
  readBack: boolean;
  compression: CompressionMode;
  packSize?: number;
}

const packSizes = { least: 4 * 1024 ** 2, most: 128 * 1024 ** 2 };

export function define(command: Command): void {
  addSourceOptions(
    command.argument('[source...]', 'files and folders, a bucket, or a database (HOLDFAST_SOURCE_URL)'),
  );
  addSliceOptions(command)
    .option('--name <name>', 'what the snapshot is called (the tag name=…)')
    .option('--tag <tags>', 'tags, with commas (may be repeated)', collectTags)
    .option('-H, --host <name>', 'host name in the snapshot (this machine’s)')
    .option('--time <time>', 'time of the snapshot (now)', parseTimeNs)
    .option('--parent <id>', 'compare with this snapshot (the newest of host and paths)')
    .option('-f, --force', 'read every file, whatever the parent says', false)
    .option('-n, --dry-run', 'do everything but write', false)
    .option('--skip-if-unchanged', 'write no snapshot when nothing changed', false)
    .option('--with-atime', 'keep times of last access', false)
    .option('--ignore-inode', 'do not compare inodes', false)
    .option('--ignore-ctime', 'do not compare times of change', false)
    .option('--no-scan', 'do not count first; progress then has no total')
    .option('--no-read-back', 'do not parse and compare the data of a database after it was stored')
    .option('--no-extra-verify', 'do not open each blob again before it is sent')
    .addOption(
      new Option('--compression <mode>', 'how hard to compress')
        .choices(['auto', 'fastest', 'better', 'max', 'off'])
        .default('auto')
        .env('HOLDFAST_COMPRESSION'),
    )
    .option('--pack-size <size>', 'size of the files in the repository (8M)', parseSize);
  addQuotaOptions(command)
    .addHelpText(
      'after',
      examples(
        'holdfast backup -r /srv/backup /home /etc --exclude "*.tmp" --name home',
        'holdfast backup -r /srv/backup --exclude-caches --one-file-system /',
        'holdfast backup -r /srv/backup s3:https://s3.example.org/photos/2026',
        'holdfast backup -r /srv/backup mongodb://db.example.org/ --name shop --ns-exclude "shop.tmp*"',
        'holdfast backup -r /srv/backup /home --quota 500G --when-full forget --keep-daily 14',
        'holdfast backup -r /srv/backup mongodb://db.example.org/ --name shop --incremental',
        'pg_dump shop | holdfast backup -r /srv/backup --stdin --stdin-filename shop.sql --name shop',
      ),
    )
    .action(action(run));
}

async function run(session: Session<Options>, paths: string[]): Promise<number> {
  const { options, output, signal } = session;
  const quota = quotaOptions(options);
  if (takesSlices(options)) {
    assertPackSize(options.packSize);
    return backupSlices(session, await session.open(), { paths, write: writeOptions(options) });
  }
  const environment = fromEnvironment(process.env);
  const { source, problems, close } = await chooseSource(paths, options, (location) =>
    session.openPlace(location, { environment }),
  );
  assertPackSize(options.packSize);
  const repository = await session.open();
  for (const problem of problems) output.problem(problem.path, problem.error, problem.gravity);
  const parent = options.parent ? await repository.findSnapshot(options.parent) : undefined;
  const live = new LiveBackup(source, options.scan);
  const outcome = await withProgress(
    output,
    () => live.look(),
    () =>
      backup({
        repository,
        source,
        ...writeOptions(options),
        ...quota,
        ...(parent ? { parent } : options.force ? { parent: 'none' as const } : {}),
        onMakingRoom: () => live.makeRoom(),
        onRoomMade: (room) => tellRoom(output, room),
        onStart: ({ progress }) => live.begin(progress, signal),
        onProblem: ({ path, error, gravity }) => output.problem(path, error, gravity),
        signal,
      }),
  ).finally(close);
  const { snapshot } = outcome;
  const proof =
    snapshot && options.readBack
      ? await proveSnapshot(session, repository, snapshot, outcome.parent)
      : undefined;
  tell(session, outcome, { seconds: live.elapsedSeconds, proof });
  const isPartial = problems.length > 0 || [outcome, proof].some((one) => one && one.state !== 'succeeded');
  return isPartial ? exitCodePartial : 0;
}

function assertPackSize(sizeBytes: number | undefined): void {
  if (sizeBytes === undefined || (sizeBytes >= packSizes.least && sizeBytes <= packSizes.most)) return;
  throw new CliError('cli.usage', `a pack cannot have ${formatSize(sizeBytes)}`, {
    hint: 'Choose between 4M and 128M.',
  });
}

function writeOptions(options: Options) {
  const tags = (options.tag ?? []).flat().filter((tag) => tag !== '');
  return {
    tags: options.name === undefined ? tags : [`name=${options.name}`, ...tags],
    excludes: options.exclude ?? [],
    dryRun: options.dryRun,
    skipIfUnchanged: options.skipIfUnchanged,
    withAccessTime: options.withAtime,
    ignoreInode: options.ignoreInode,
    ignoreCtime: options.ignoreCtime,
    verify: options.extraVerify,
    compression: options.compression,
    programVersion: `holdfast ${versionNumber()}`,
    ...(options.host ? { hostname: options.host } : {}),
    ...(options.time === undefined ? {} : { timeNs: options.time }),
    ...(options.packSize === undefined ? {} : { packSizeBytes: options.packSize }),
  };
}

/** What the progress line looks at while the backup runs; the total is counted beside it. */
class LiveBackup {
  readonly #source: Source;
  readonly #scan: boolean;
  readonly #startedMs = systemClock.monotonicMs();
  #progress: WriteProgress | undefined;
  #totals: Totals | undefined;
  #isCounted = false;
  #phase = 'backing up';

  constructor(source: Source, scan: boolean) {
    this.#source = source;
    this.#scan = scan;
  }

  get elapsedSeconds(): number {
    return (systemClock.monotonicMs() - this.#startedMs) / 1000;
  }

  makeRoom(): void {
    this.#phase = 'making room';
  }

  begin(progress: WriteProgress, signal: AbortSignal): void {
    this.#phase = 'backing up';
    this.#progress = progress;
    if (this.#scan && isCountable(this.#source)) void this.#count(this.#source, signal);
  }

  look() {
    const { filesNew = 0, filesChanged = 0, filesUnmodified = 0, bytesProcessed = 0 } = this.#progress ?? {};
    return {
      phase: this.#phase,
      bytesDone: bytesProcessed,
      filesDone: filesNew + filesChanged + filesUnmodified,
      ...(this.#isCounted ? { bytesTotal: this.#totals?.sizeBytes, filesTotal: this.#totals?.files } : {}),
    };
  }

  /** For the eyes only: a fault here is met again, and told, by the backup itself. */
  async #count(source: FilesSource, signal: AbortSignal): Promise<void> {
    try {
      for await (const totals of source.estimate(signal)) this.#totals = totals;
      this.#isCounted = true;
    } catch {
      this.#totals = undefined;
    }
  }
}

function isCountable(source: Source): source is FilesSource {
  return 'estimate' in source;
}

function tell(
  { output, options }: Session<Options>,
  outcome: BackupOutcome,
  { seconds, proof }: { seconds: number; proof: ReadBackOutcome | undefined },
): void {
  const { summary, snapshot, use } = outcome;
  if (use && isNearlyFull(use)) output.warning(`the repository is nearly full: ${describeUse(use)}`);
  if (output.isJson) {
    output.object({
      message_type: 'summary',
      state: proof?.state === 'partial' ? 'partial' : outcome.state,
      dry_run: options.dryRun,
      ...summaryJson(summary),
      total_duration: seconds,
      problems: outcome.problems.length + (proof?.problems.length ?? 0),
      ...(proof ? { read_back: proof.state === 'succeeded' ? 'matched' : 'differs' } : {}),
      ...(proof?.consistency ? { consistency: proof.consistency.kind } : {}),
      ...(proof?.unchanged === undefined ? {} : { collections_unchanged: proof.unchanged }),
      snapshot_id: snapshot?.id,
      immutable_until: outcome.immutableUntil?.toISOString(),
    });
    return;
  }
  const { filesNew, filesChanged, filesUnmodified } = summary;
  const { parent } = outcome;
  output.note(
    parent
      ? `compared with snapshot ${parent.id.slice(0, 8)}`
      : 'no snapshot to compare with: every file was read',
  );
  output.note(`files    ${filesNew} new, ${filesChanged} changed, ${filesUnmodified} unchanged`);
  output.note(
    `folders  ${summary.dirsNew} new, ${summary.dirsChanged} changed, ${summary.dirsUnmodified} unchanged`,
  );
  const added = `${formatSize(summary.dataAdded)} new, ${formatSize(summary.dataAddedPacked)} stored`;
  output.note(`read     ${formatSize(summary.totalBytesProcessed)} in ${formatSeconds(seconds)}; ${added}`);
  const { immutableUntil } = outcome;
  if (immutableUntil) output.note(`locked   until ${immutableUntil.toISOString().slice(0, 10)}`);
  output.note(verdict(outcome, options));
}

function verdict({ state, problems, snapshot, parent }: BackupOutcome, options: Options): string {
  if (options.dryRun) return 'dry run: nothing was written';
  const saved = snapshot ? `snapshot ${snapshot.id.slice(0, 8)} saved` : unchanged(parent);
  if (state === 'succeeded') return saved;
  return `${saved}, but not whole: ${counted(problems.length, 'problem')}, listed above (${state})`;
}

function unchanged(parent: StoredSnapshot | undefined): string {
  return `nothing changed since snapshot ${parent!.id.slice(0, 8)}: no new one was written`;
}
