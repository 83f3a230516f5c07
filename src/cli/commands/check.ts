import type { Command } from 'commander';
import { type CheckProgress, type CheckReport, checkRepository, type ReadDataChoice } from '#repository';
import { tamperingSince } from '#storage';
import { CliError } from '../errors.ts';
import { counted, formatSize } from '../output.ts';
import { withProgress } from '../progress.ts';
import { action, examples, type Session } from '../session.ts';
import { parseSize } from '../values.ts';

interface Options {
  readData: boolean;
  readDataSubset?: string;
}

export function define(command: Command): void {
  command
    .option('--read-data', 'read, decrypt and hash everything', false)
    .option('--read-data-subset <part>', 'a part of it: n/t, 5%, or 10G')
    .addHelpText(
      'after',
      examples(
        'holdfast check -r /srv/backup',
        'holdfast check -r /srv/backup --read-data',
        'holdfast check -r /srv/backup --read-data-subset 3/7    # seven runs cover everything',
      ),
    )
    .action(action(run));
}

const phases: Record<CheckProgress['phase'], string> = {
  index: 'reading the index',
  packs: 'listing packs',
  trees: 'checking folders',
  data: 'reading data',
  affected: 'looking for files that suffer',
};

async function run(session: Session<Options>): Promise<number> {
  const { options, output, signal } = session;
  const readData = choiceOf(options);
  const repository = await session.open();
  if (options.asOf) await warnOfTampering(session, options.asOf);
  let progress: CheckProgress | undefined;
  const report = await withProgress(
    output,
    () => ({
      phase: phases[progress?.phase ?? 'index'],
      bytesDone: progress?.bytesDone ?? 0,
      ...(progress?.phase === 'data' ? { bytesTotal: progress.bytesTotal } : {}),
    }),
    () =>
      checkRepository(repository, {
        readData,
        signal,
        onProgress: (live) => {
          progress = live;
        },
        onFinding: (finding) => {
          if (output.isJson) output.object({ message_type: 'finding', ...finding });
          else if (finding.gravity === 'error') output.line(`error: ${finding.message}`);
          else output.note(`hint: ${finding.message}`);
        },
      }),
  );
  tell(session, report);
  return report.isSound ? 0 : 1;
}

function tell({ output }: Session<Options>, report: CheckReport): void {
  const errors = report.findings.filter(({ gravity }) => gravity === 'error').length;
  if (output.isJson) {
    output.object({
      message_type: 'summary',
      is_sound: report.isSound,
      num_errors: errors,
      snapshots: report.snapshots,
      packs: report.packs,
      blobs: report.blobs,
      packs_read: report.packsRead,
      bytes_read: report.bytesRead,
      affected: report.affected,
    });
    return;
  }
  for (const { snapshot, path } of report.affected)
    output.line(`suffers: ${path} in snapshot ${snapshot.slice(0, 8)}`);
  const found = `${counted(report.snapshots, 'snapshot')}, ${counted(report.packs, 'pack')}, ${counted(report.blobs, 'blob')}`;
  output.note(found);
  output.note(
    report.packsRead > 0
      ? `read ${counted(report.packsRead, 'pack')} whole, ${formatSize(report.bytesRead)}`
      : 'structure only; --read-data reads every byte',
  );
  if (report.isSound) output.note('no errors were found');
  else output.line(`${counted(errors, 'error')} found; see \`holdfast repair --help\``);
}

/** What was done to the files of that time since; a lock file that was deleted is nobody's fault. */
async function warnOfTampering({ openStorage, output, signal }: Session<Options>, time: Date): Promise<void> {
  const counts = { hidden: 0, replaced: 0 };
  for await (const { name, kind } of tamperingSince(await openStorage(), time, { signal }))
    if (!name.startsWith('locks/')) counts[kind]++;
  const since = `since ${time.toISOString()}, which nobody does who means well`;
  if (counts.hidden > 0) output.warning(`${counted(counts.hidden, 'file')} were hidden ${since}`);
  if (counts.replaced > 0) output.warning(`${counted(counts.replaced, 'file')} were written over ${since}`);
}

function choiceOf({ readData, readDataSubset: text }: Options): ReadDataChoice {
  if (readData && text !== undefined) {
    throw new CliError('cli.usage', '--read-data and --read-data-subset exclude each other', {
      hint: 'Give one of them.',
    });
  }
  if (text === undefined) return readData ? 'all' : 'none';
  const part = /^(\d{1,3})\/(\d{1,3})$/.exec(text);
  if (part) return partOf(Number(part[1]), Number(part[2]));
  const percent = /^(\d{1,3}(?:\.\d+)?)\s*%$/.exec(text);
  if (!percent) return { sizeBytes: parseSize(text) };
  const share = Number(percent[1]);
  if (share > 0 && share <= 100) return { percent: share };
  throw badPart(text);
}

function partOf(part: number, of: number): ReadDataChoice {
  if (part >= 1 && part <= of && of <= 256) return { part, of };
  throw badPart(`${part}/${of}`);
}

function badPart(text: string): CliError {
  return new CliError('cli.usage', `cannot read the part ${text}`, {
    hint: 'Write n/t with n from 1 to t and t at most 256, a share like 5%, or a size like 10G.',
  });
}
