import { type Command, Option } from 'commander';
import { addedAlone, type Repository, type RepositoryStats, type StatsMode, statsOf } from '#repository';
import { chooseSnapshots } from '../choose-snapshots.ts';
import { counted, formatSize, formatTime, table } from '../output.ts';
import { action, examples, type Session } from '../session.ts';
import { isoTime } from '../snapshot-json.ts';
import { addSnapshotOptions, type SnapshotOptions } from '../snapshot-options.ts';

interface Options extends SnapshotOptions {
  mode: StatsMode;
  addedAlone: boolean;
}

export function define(command: Command): void {
  addSnapshotOptions(command.argument('[id...]', 'only these snapshots'))
    .addOption(
      new Option('--mode <mode>', 'what is counted')
        .choices(['restore-size', 'files-by-contents', 'blobs-per-file', 'raw-data'])
        .default('restore-size'),
    )
    .option('--added-alone', 'what each snapshot of the repository has alone', false)
    .addHelpText(
      'after',
      `
Modes:
  restore-size       what restoring the snapshots would write
  files-by-contents  the same, files with the same content once
  blobs-per-file     the different blobs of each different file
  raw-data           what is stored
${examples(
  'holdfast stats -r /srv/backup --mode raw-data',
  'holdfast stats latest -r /srv/backup',
  'holdfast stats -r /srv/backup --added-alone    # what forgetting one of them would free',
)}`,
    )
    .action(action(run));
}

async function run(session: Session<Options>, ids: string[]): Promise<number> {
  const { options, output, signal } = session;
  const repository = await session.open();
  await using lock = await repository.lock({ exclusive: false, signal });
  if (options.addedAlone) {
    await tellAddedAlone(session, repository, { ids, signal: lock.signal });
    return 0;
  }
  const snapshots = await chooseSnapshots(repository, ids, options);
  const stats = await statsOf(repository, { snapshots, mode: options.mode, signal: lock.signal });
  if (output.isJson) output.object(statsJson(stats));
  else for (const line of statsLines(stats, options.mode)) output.line(line);
  return 0;
}

/** As restic's, newer ones included. */
function statsJson({ snapshotCount, fileCount, blobCount, sizeBytes, raw }: RepositoryStats): unknown {
  return {
    total_size: sizeBytes,
    total_uncompressed_size: raw?.uncompressedSizeBytes,
    compression_ratio: raw?.compressionRatio,
    compression_progress: raw?.compressionProgressPercent,
    compression_space_saving: raw?.compressionSpaceSavingPercent,
    total_file_count: fileCount,
    total_blob_count: blobCount || undefined,
    snapshots_count: snapshotCount,
  };
}

function statsLines(stats: RepositoryStats, mode: StatsMode): string[] {
  const { snapshotCount, fileCount, blobCount, sizeBytes, raw } = stats;
  return [
    `${counted(snapshotCount, 'snapshot')}, ${mode}`,
    ...(fileCount > 0 ? [`${fileCount.toLocaleString('en')} entries`] : []),
    ...(blobCount > 0 ? [counted(blobCount, 'blob')] : []),
    formatSize(sizeBytes),
    ...(raw
      ? [
          `${formatSize(raw.uncompressedSizeBytes)} without compression (ratio ${raw.compressionRatio.toFixed(2)})`,
        ]
      : []),
  ];
}

async function tellAddedAlone(
  { output, options }: Session<Options>,
  repository: Repository,
  { ids, signal }: { ids: string[]; signal: AbortSignal },
): Promise<void> {
  const chosen = new Set((await chooseSnapshots(repository, ids, options)).map(({ id }) => id));
  const alone = (await addedAlone(repository, { signal })).filter(({ snapshot }) => chosen.has(snapshot.id));
  if (output.isJson) {
    output.object(
      alone.map(({ snapshot, blobCount, sizeBytes }) => ({
        snapshot: snapshot.id,
        time: isoTime(snapshot.timeNs),
        added_alone_size: sizeBytes,
        added_alone_blob_count: blobCount,
      })),
    );
    return;
  }
  const rows = alone.map(({ snapshot, blobCount, sizeBytes }) => [
    snapshot.id.slice(0, 8),
    formatTime(snapshot.timeNs),
    String(blobCount),
    formatSize(sizeBytes),
    snapshot.paths.join(', '),
  ]);
  for (const line of table(['ID', 'Time', 'Blobs alone', 'Size alone', 'Paths'], rows)) output.line(line);
}
