import { type Command, Option } from 'commander';
import { isEmptyPolicy } from '#retention';
import { type BackupRequest, describeUse, type RoomMade } from '#workflows';
import { CliError } from './errors.ts';
import { counted, formatSize, formatTime, type Output } from './output.ts';
import { addPolicyOptions, type PolicyOptions, policyOf } from './policy-options.ts';
import { snapshotJson } from './snapshot-json.ts';
import { parseSize } from './values.ts';

export interface QuotaOptions extends PolicyOptions {
  quota?: number;
  whenFull: 'refuse' | 'forget';
}

/** Options of a repository that may not grow without end; the last ones of their command. */
export function addQuotaOptions(command: Command): Command {
  const grouped = command
    .optionsGroup('When the repository is full:')
    .addOption(
      new Option('--quota <size>', 'what the repository may take; warn at 80 %')
        .argParser(parseSize)
        .env('HOLDFAST_QUOTA'),
    )
    .addOption(
      new Option('--when-full <what>', 'begin no backup, or forget the oldest snapshots and free their space')
        .choices(['refuse', 'forget'])
        .default('refuse')
        .env('HOLDFAST_WHEN_FULL'),
    );
  return addPolicyOptions(grouped.optionsGroup('What --when-full forget keeps:'));
}

export function quotaOptions(options: QuotaOptions): Pick<BackupRequest, 'quotaBytes' | 'whenFull'> {
  const { quota, whenFull, groupBy } = options;
  const policy = policyOf(options);
  const isForgetting = whenFull === 'forget';
  if (isForgetting === isEmptyPolicy(policy)) {
    throw new CliError('cli.usage', isForgetting ? 'nothing says what to keep' : '--keep-… has no use here', {
      hint: '--when-full forget and rules such as --keep-daily 14 belong together; `holdfast forget` takes them too.',
    });
  }
  if (quota === undefined && isForgetting)
    throw new CliError('cli.usage', '--when-full forget needs --quota', {
      hint: 'Say by --quota what the repository may take.',
    });
  if (quota === undefined) return {};
  return { quotaBytes: quota, ...(isForgetting ? { whenFull: { policy, groupBy } } : {}) };
}

export function tellRoom(output: Output, { forgotten, before, after }: RoomMade): void {
  if (output.isJson) {
    const freedBytes = before.storedBytes - after.storedBytes;
    output.object({ message_type: 'room', freed_bytes: freedBytes, removed: forgotten.map(snapshotJson) });
    return;
  }
  const freed = formatSize(Math.max(0, before.storedBytes - after.storedBytes));
  output.warning(
    `the repository was full: ${counted(forgotten.length, 'snapshot')} forgotten, ${freed} freed; now ${describeUse(after)}`,
  );
  for (const { id, timeNs, hostname, paths } of forgotten)
    output.note(`forgot   ${id.slice(0, 8)} of ${formatTime(timeNs)}, ${hostname}, ${paths.join(', ')}`);
}
