import { type Command, InvalidArgumentError } from 'commander';
import { type PruneOptions, type PruneReport, pruneRepository, type Repository } from '#repository';
import { counted, formatSize, type Output } from './output.ts';
import { withProgress } from './progress.ts';
import type { Session } from './session.ts';
import { parseSize } from './values.ts';

export interface PruneChoices {
  maxUnused?: PruneOptions['maxUnused'];
  maxRepackSize?: number;
  repackUncompressed: boolean;
}

export function addPruneOptions(command: Command): Command {
  return command
    .option('--max-unused <limit>', 'unused data that may stay: 5%, 2G, unlimited (5%)', parseUnused)
    .option('--max-repack-size <size>', 'copy at most so much; the rest is left to the next prune', parseSize)
    .option('--repack-uncompressed', 'compress what is not compressed', false);
}

function parseUnused(text: string): NonNullable<PruneOptions['maxUnused']> {
  if (text === 'unlimited') return 'unlimited';
  const percent = /^(\d{1,3}(?:\.\d+)?)\s*%$/.exec(text);
  if (!percent) return { sizeBytes: parseSize(text) };
  if (Number(percent[1]) < 100) return { percent: Number(percent[1]) };
  throw new InvalidArgumentError('Write a share below 100%, a size like 2G, or unlimited.');
}

/** Runs a prune with its progress and tells what it did. */
export async function pruneAndTell(
  { output, signal }: Pick<Session<unknown>, 'output' | 'signal'>,
  repository: Repository,
  { graceMs, dryRun, ...choices }: PruneChoices & { graceMs?: number; dryRun: boolean },
): Promise<void> {
  let look = () => ({ phase: 'pruning', bytesDone: 0, bytesTotal: 0 });
  const report = await withProgress(
    output,
    () => look(),
    () =>
      pruneRepository(repository, {
        dryRun,
        signal,
        repackUncompressed: choices.repackUncompressed,
        ...(choices.maxUnused === undefined ? {} : { maxUnused: choices.maxUnused }),
        ...(choices.maxRepackSize === undefined ? {} : { maxRepackSizeBytes: choices.maxRepackSize }),
        ...(graceMs === undefined ? {} : { graceMs }),
        onProgress: (live) => {
          look = () => ({
            phase: phases[live.phase],
            bytesDone: live.repackBytesDone,
            bytesTotal: live.repackBytesTotal,
          });
        },
      }),
  );
  if (output.isJson) output.object({ message_type: 'prune', ...report });
  else tell(output, report);
}

const phases = {
  index: 'reading the index',
  trees: 'looking what is in use',
  repack: 'copying what is in use',
  rewrite: 'writing the index',
  delete: 'deleting packs',
};

function tell(output: Output, report: PruneReport): void {
  const { packs, blobs } = report;
  const would = report.isDryRun ? 'would be ' : '';
  const line = (what: string, { count, sizeBytes }: { count: number; sizeBytes: number }): void => {
    if (count > 0) output.note(`${counted(count, 'pack')} ${what}, ${formatSize(sizeBytes)}`);
  };
  output.note(
    `${counted(blobs.used, 'blob')} in use, ${blobs.unused} not${blobs.duplicate > 0 ? `, ${blobs.duplicate} stored twice` : ''}`,
  );
  line('kept', packs.kept);
  line(`${would}copied anew`, packs.repacked);
  line(`${would}deleted`, packs.deleted);
  line(`${would}marked: a later prune deletes them`, packs.marked);
  line('marked before, not due yet', packs.waiting);
  line('in use again: no longer marked', packs.recovered);
  line('retained by the storage (object lock): a later prune comes back for them', packs.locked);
  output.note(`${formatSize(report.bytesBefore)} before, ${formatSize(report.bytesAfter)} after`);
}
