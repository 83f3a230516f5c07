import type { Command } from 'commander';
import type { Repository } from '#repository';
import { describeTime, isMongoUrl } from '#sources';
import { type BackupOplogOutcome, type BackupOutcome, backupOplog, type SavedSlice } from '#workflows';
import { CliError } from './errors.ts';
import { parseDurationMs } from './global-options.ts';
import { takeInterruptions } from './interruption.ts';
import { type MongoOptions, mongoSourceOf } from './mongo-options.ts';
import { counted, formatSize } from './output.ts';
import { exitCodePartial, type Session } from './session.ts';
import { parseSize } from './values.ts';

/** Options of a backup that saves slices of MongoDB's oplog. */
export interface SliceOptions extends MongoOptions {
  incremental: boolean;
  continuous: boolean;
  sliceEvery?: number;
  sliceSize?: number;
  readBack: boolean;
  dryRun: boolean;
}

const sliceDefaults = { everyMs: 600_000, bytesMax: 64 * 1024 ** 2 };

export function addSliceOptions(command: Command): Command {
  return command
    .option(
      '--incremental',
      'MongoDB: save the oplog since the last time, as slices; full where none is held',
      false,
    )
    .option('--continuous', 'MongoDB: the same, and go on until stopped', false)
    .option(
      '--slice-every <duration>',
      'MongoDB: with --continuous a slice each so often (10m)',
      parseDurationMs,
    )
    .option('--slice-size <size>', 'MongoDB: a slice is saved when it has so much (64M)', parseSize);
}

export function takesSlices({ incremental, continuous }: SliceOptions): boolean {
  return incremental || continuous;
}

/** @param write how snapshots are written @returns the exit code @throws CliError 'cli.usage' */
export async function backupSlices(
  { options, output, signal }: Session<SliceOptions>,
  repository: Repository,
  { paths, write }: { paths: readonly string[]; write: Omit<Parameters<typeof backupOplog>[0], OfSlices> },
): Promise<number> {
  const url = urlOf(paths, options);
  const stop = new AbortController();
  const giveBack = options.continuous ? takeStop(stop) : () => {};
  try {
    const outcome = await backupOplog({
      ...write,
      repository,
      url,
      openFull: () => mongoSourceOf(url, options),
      sliceBytesMax: options.sliceSize ?? sliceDefaults.bytesMax,
      isReadBack: options.readBack,
      ...(options.continuous
        ? { everyMs: options.sliceEvery ?? sliceDefaults.everyMs, stop: stop.signal }
        : {}),
      onFull: (full) => tellFull(output, full),
      onSlice: (slice) => tellSlice(output, slice),
      onProblem: ({ path, error, gravity }) => output.problem(path, error, gravity),
      signal,
    });
    tell(output, outcome);
    return outcome.state === 'succeeded' ? 0 : exitCodePartial;
  } finally {
    giveBack();
  }
}

type OfSlices = 'repository' | 'url' | 'openFull' | 'sliceBytesMax' | 'isReadBack';

function urlOf(paths: readonly string[], options: SliceOptions): string {
  const given = paths.length > 0 ? paths : [process.env.HOLDFAST_SOURCE_URL ?? ''];
  const [url] = given;
  if (given.length !== 1 || !isMongoUrl(url!))
    throw new CliError('cli.usage', 'slices are taken of one MongoDB deployment', {
      hint: 'Give its URL, or set HOLDFAST_SOURCE_URL.',
    });
  if (options.db !== undefined || options.collection !== undefined)
    throw new CliError('cli.usage', 'the oplog is that of a whole deployment', {
      hint: 'Leave out --db and --collection; a restore can choose by --ns-include.',
    });
  if (options.dryRun)
    throw new CliError('cli.usage', 'slices have no dry run', {
      hint: 'Use `holdfast source test`: it tells how far the oplog reaches back.',
    });
  return url!;
}

/** The first signal lets the slice that is being taken be saved; the second one ends at once. */
function takeStop(stop: AbortController): () => void {
  return takeInterruptions((name) => {
    if (stop.signal.aborted) process.exit(130);
    process.stderr.write(`\n${name}: saving the last slice; once more to end at once\n`);
    stop.abort();
  });
}

type Output = Session<unknown>['output'];

function tellFull(output: Output, { snapshot, state }: BackupOutcome): void {
  if (output.isJson) output.object({ message_type: 'full', state, snapshot_id: snapshot?.id });
  else output.note(`full backup: snapshot ${snapshot?.id.slice(0, 8)} saved (${state})`);
}

function tellSlice(output: Output, { snapshot, manifest }: SavedSlice): void {
  const { first, last, count, bytes } = manifest;
  if (output.isJson) {
    const range = { from: `${first.t}:${first.i}`, to: `${last.t}:${last.i}` };
    output.object({ message_type: 'slice', snapshot_id: snapshot?.id, ...range, entries: count - 1, bytes });
  } else
    output.note(
      `slice ${snapshot?.id.slice(0, 8)}: ${describeTime(first)} to ${describeTime(last)}, ${counted(count - 1, 'entry', 'entries')}, ${formatSize(bytes)}`,
    );
}

function tell(output: Output, outcome: BackupOplogOutcome): void {
  const { state, problems, sliceCount, entryCount, bytes, first, last, full, reopened } = outcome;
  const reasons = [...new Set(problems.map(({ error }) => (error as { code?: string }).code ?? 'other'))];
  if (output.isJson) {
    output.object({
      message_type: 'summary',
      state,
      reasons,
      slices: sliceCount,
      entries: entryCount,
      bytes,
      reopened,
      ...(full?.snapshot ? { full_snapshot_id: full.snapshot.id } : {}),
      ...(last
        ? { snapshot_id: last.snapshot?.id, to: `${last.manifest.last.t}:${last.manifest.last.i}` }
        : {}),
      problems: problems.length,
    });
    return;
  }
  if (reopened > 0) output.note(`reading broke off ${counted(reopened, 'time')}, and went on without loss`);
  const saved = last
    ? `${counted(sliceCount, 'slice')} saved: ${counted(entryCount, 'entry', 'entries')}, ${formatSize(bytes)}, from ${describeTime(first!.manifest.first)} to ${describeTime(last.manifest.last)}`
    : 'nothing new in the oplog';
  output.note(
    state === 'succeeded'
      ? saved
      : `${saved}; ${counted(problems.length, 'problem')}, listed above (${state})`,
  );
}
