import type { Command } from 'commander';
import {
  checkRepository,
  type PackId,
  type Repository,
  repairIndex,
  repairPacks,
  repairSnapshots,
} from '#repository';
import { CliError } from '../errors.ts';
import { addFromOptions, type FromOptions, openFrom } from '../from-repository.ts';
import { counted } from '../output.ts';
import { action, examples, exitCodePartial, type Session } from '../session.ts';

export function define(command: Command): void {
  command
    .description(
      'Saves what can be saved of a damaged repository. In this order: check --read-data, repair index, repair packs, ' +
        'repair snapshots, check --read-data.',
    )
    .addHelpText(
      'after',
      examples(
        'holdfast repair index -r /srv/backup',
        'holdfast repair packs -r /srv/backup --from-repo /mnt/second',
        'holdfast repair snapshots -r /srv/backup --dry-run',
      ),
    );
  command
    .command('index')
    .summary('make the index say what the packs hold')
    .description('Makes the index say what the packs in the storage hold.')
    .option('--read-all-packs', 'read the header of every pack', false)
    .action(action(index));
  const packs = command
    .command('packs')
    .summary('save what opens of damaged packs')
    .description('Writes what opens of damaged packs anew, and removes them.')
    .argument(
      '[id...]',
      'packs, by their whole ids; without any, all that a check of all data finds damaged',
    );
  addFromOptions(packs, 'a repository with copies of the same snapshots').action(action(packsOf));
  const snapshots = command
    .command('snapshots')
    .summary('take what is lost out of the snapshots')
    .description('Writes snapshots anew without what cannot be read.')
    .option('-n, --dry-run', 'look, and write nothing', false)
    .option('--forget', 'delete the old forms', false);
  addFromOptions(snapshots, 'a repository with copies of the same snapshots').action(action(snapshotsOf));
  for (const sub of command.commands) sub.copyInheritedSettings(command);
}

async function index({ options, output, signal, open }: Session<{ readAllPacks: boolean }>): Promise<number> {
  const report = await repairIndex(await open(), { readAllPacks: options.readAllPacks, signal });
  if (output.isJson) output.object({ message_type: 'summary', ...report });
  else {
    output.note(`${counted(report.packsAdded.length, 'pack')} added to the index`);
    output.note(
      `${report.packsCorrected.length} corrected, ${report.packsDropped.length} dropped: not in the storage`,
    );
    output.note(`${counted(report.indexFilesRemoved.length, 'damaged index file')} removed`);
    for (const id of report.packsDamaged) output.line(`without a readable header: pack ${id}`);
  }
  return report.packsDamaged.length > 0 ? exitCodePartial : 0;
}

async function packsOf(session: Session<FromOptions>, ids: string[]): Promise<number> {
  const { output, signal } = session;
  for (const id of ids) {
    if (/^[0-9a-f]{64}$/.test(id)) continue;
    throw new CliError('cli.usage', `${id} is no id of a pack`, {
      hint: 'Give the 64 hex digits that `holdfast check --read-data --json` names.',
    });
  }
  const from = await openFrom(session);
  const repository = await session.open();
  const packs = ids.length > 0 ? (ids as PackId[]) : await damagedPacks(repository, session);
  const report = await repairPacks(repository, packs, { ...(from ? { from } : {}), signal });
  if (output.isJson) output.object({ message_type: 'summary', ...report });
  else {
    output.note(`${counted(report.packs.length, 'pack')} emptied and removed`);
    output.note(
      `${counted(report.saved, 'blob')} saved, ${report.savedFromCopy} of them from the second repository`,
    );
    if (report.lost.length > 0)
      output.line(
        `${counted(report.lost.length, 'blob')} lost; \`holdfast repair snapshots\` takes them out`,
      );
  }
  return report.lost.length > 0 ? exitCodePartial : 0;
}

/** What a check of every byte finds wrong with packs. */
async function damagedPacks(
  repository: Repository,
  { output, signal }: Session<FromOptions>,
): Promise<PackId[]> {
  const { findings } = await checkRepository(repository, { readData: 'all', signal });
  const packs = new Set(
    findings.filter(({ gravity }) => gravity === 'error').flatMap(({ pack }) => (pack ? [pack] : [])),
  );
  for (const pack of packs) output.note(`damaged or missing: pack ${pack}`);
  return [...packs] as PackId[];
}

interface SnapshotsOptions extends FromOptions {
  dryRun: boolean;
  forget: boolean;
}

async function snapshotsOf(session: Session<SnapshotsOptions>): Promise<number> {
  const { options, output, signal } = session;
  const from = await openFrom(session);
  const repository = await session.open();
  const { dryRun, forget } = options;
  const report = await repairSnapshots(repository, { dryRun, forget, ...(from ? { from } : {}), signal });
  if (output.isJson) {
    output.object({
      message_type: 'summary',
      dry_run: dryRun,
      repaired: report.repaired.map(({ before, after, entries }) => ({
        before: before.id,
        after: after?.id,
        entries,
      })),
      hopeless: report.hopeless.map(({ id }) => id),
      damaged_files: report.damagedFiles,
      misplaced: report.misplaced.map(({ id }) => id),
      blobs_fetched: report.blobsFetched,
    });
    return 0;
  }
  for (const { before, after, entries } of report.repaired) {
    output.note(
      `snapshot ${before.id.slice(0, 8)}${after ? ` is repaired as ${after.id.slice(0, 8)}` : ' has losses'}`,
    );
    for (const { path, what } of entries) output.line(`  ${path}: ${what.replace('-', ' ')}`);
  }
  for (const { id } of report.hopeless) output.line(`nothing of snapshot ${id.slice(0, 8)} can be read`);
  for (const id of report.damagedFiles) output.line(`no snapshot any more: ${id}`);
  output.note(`${counted(report.repaired.length, 'snapshot')} ${dryRun ? 'would be repaired' : 'repaired'}`);
  return 0;
}
