import { type Command, Option } from 'commander';
import { systemClock } from '#base';
import type { Repository, StoredSnapshot } from '#repository';
import { describeTime, type RestorePlan } from '#sources';
import { type RestoreDatabaseOutcome, restoreDatabase } from '#workflows';
import { CliError } from './errors.ts';
import { counted, formatSeconds, formatSize, type Output, table } from './output.ts';
import { withProgress } from './progress.ts';
import { exitCodePartial, type Session } from './session.ts';
import { parseUntil, type Until } from './until-option.ts';
import { collectText, parseCount } from './values.ts';

/** Options of a restore whose target is a MongoDB deployment. */
export interface RestoreDatabaseOptions {
  target: string;
  dryRun: boolean;
  nsFrom?: string[];
  nsTo?: string[];
  nsInclude?: string[];
  nsExclude?: string[];
  drop: boolean;
  yesDrop?: string[];
  until?: Until;
  resume: boolean;
  id?: string[];
  users?: 'missing' | 'all';
  anyVersion: boolean;
  collectionsAtOnce?: number;
  include?: string[];
  exclude?: string[];
  iinclude?: string[];
  iexclude?: string[];
}

export function addRestoreDatabaseOptions(command: Command): Command {
  return command
    .option(
      '--ns-include <pattern>',
      'MongoDB: only such namespaces, like shop.* (may be repeated)',
      collectText,
    )
    .option('--ns-exclude <pattern>', 'MongoDB: not such namespaces (may be repeated)', collectText)
    .option('--ns-from <pattern>', 'MongoDB: rename such namespaces … (may be repeated)', collectText)
    .option('--ns-to <pattern>', 'MongoDB: … to these, in the same order', collectText)
    .option('--drop', 'MongoDB: replace collections that are there', false)
    .option('--yes-drop <name>', 'MongoDB: confirms that for a database or a collection', collectText)
    .option(
      '--until <time>',
      'MongoDB: as it was at a second, or after an entry of the oplog (1764020000:5)',
      parseUntil,
    )
    .option('--id <value>', 'MongoDB: only documents of this _id (may be repeated)', collectText)
    .option('--resume', 'MongoDB: go on with a restore that was interrupted', false)
    .addOption(
      new Option(
        '--users <which>',
        'MongoDB: users and roles too: missing ones, or all but the account in use',
      ).choices(['missing', 'all']),
    )
    .option('--any-version', 'MongoDB: although the target is of a lower feature compatibility', false)
    .option('--collections-at-once <count>', 'MongoDB: how many are restored at once (4)', parseCount);
}

/** Restores the dump of a snapshot into the deployment that `--target` names. @returns the exit code */
export async function restoreIntoDatabase(
  { options, output, signal }: Session<RestoreDatabaseOptions>,
  repository: Repository,
  snapshot: StoredSnapshot,
): Promise<number> {
  let bytesDone = 0;
  const startedMs = systemClock.monotonicMs();
  const renames = renamesOf(options);
  const outcome = await withProgress(
    output,
    () => ({ phase: 'restoring', bytesDone, filesDone: 0 }),
    () =>
      restoreDatabase({
        repository,
        snapshot,
        url: options.target,
        includes: options.nsInclude,
        excludes: options.nsExclude,
        renames,
        drop: options.drop,
        confirmed: options.yesDrop,
        until: options.until,
        collectionsAtOnce: options.collectionsAtOnce,
        dryRun: options.dryRun,
        resume: options.resume,
        ids: options.id,
        users: options.users,
        anyVersion: options.anyVersion,
        onPlan({ collections, moved, left, conflicts }) {
          for (const { from, to } of moved)
            output.note(`${from} is there already and holds documents: it is restored as ${to}`);
          for (const namespace of options.users ? [] : left)
            output.note(`${namespace} is left out: it belongs to the system`);
          if (!options.dryRun) return;
          preview(output, collections, { conflicts: new Set(conflicts), isResumed: options.resume });
        },
        onBytes: (count) => {
          bytesDone += count;
        },
        onProblem: ({ path, error, gravity }) => output.problem(path, error, gravity),
        signal,
      }),
  );
  if (output.isJson) output.object(summaryOf(outcome, (systemClock.monotonicMs() - startedMs) / 1000));
  else if (options.dryRun) output.note('dry run: nothing was written');
  else tell(output, outcome, (systemClock.monotonicMs() - startedMs) / 1000);
  return outcome.state === 'succeeded' ? 0 : exitCodePartial;
}

/** What would become of each collection. */
function preview(
  output: Output,
  collections: RestorePlan['collections'],
  { conflicts, isResumed }: { conflicts: ReadonlySet<string>; isResumed: boolean },
): void {
  const rows = collections.map(({ manifest, database, name, isThere, holdsDocuments }) => {
    const target = `${database}.${name}`;
    const there = holdsDocuments ? 'holds documents' : isThere ? 'is there, empty' : 'is not there';
    const fate = conflicts.has(target)
      ? 'REFUSED'
      : !holdsDocuments
        ? 'restored'
        : isResumed
          ? 'filled up'
          : 'replaced';
    const { count } = manifest.content ?? { count: 0 };
    return [`${manifest.database}.${manifest.name}`, target, count.toLocaleString('en'), there, fate];
  });
  for (const line of table(['From', 'To', 'Documents', 'The target', 'Fate'], rows)) output.note(line);
  if (conflicts.size > 0)
    output.note('what is refused needs another name (--ns-from, --ns-to), or --drop with --yes-drop NAME');
}

function renamesOf(options: RestoreDatabaseOptions): { from: string; to: string }[] {
  if (options.id && (options.drop || options.until || options.users))
    throw new CliError('cli.usage', '--id goes with neither --drop, --until nor --users', {
      hint: 'Give --resume to put the documents into the collection that is there.',
    });
  if (options.drop && options.resume)
    throw new CliError('cli.usage', '--drop and --resume exclude each other', {
      hint: 'Give --resume alone to fill up what an interrupted restore has left.',
    });
  const { nsFrom = [], nsTo = [], include, exclude, iinclude, iexclude } = options;
  if (include || exclude || iinclude || iexclude)
    throw new CliError('cli.usage', 'files are chosen by --include and --exclude, and a database has none', {
      hint: 'Choose collections with --ns-include and --ns-exclude.',
    });
  if (nsFrom.length !== nsTo.length)
    throw new CliError('cli.usage', 'each --ns-from needs its --ns-to', {
      hint: 'Write for example --ns-from "shop.*" --ns-to "shop_restored.*".',
    });
  return nsFrom.map((from, i) => ({ from, to: nsTo[i]! }));
}

function summaryOf(outcome: RestoreDatabaseOutcome, seconds: number): object {
  return {
    message_type: 'summary',
    state: outcome.state,
    seconds_elapsed: seconds,
    collections: outcome.collections,
    views: outcome.views,
    documents: outcome.documents,
    documents_kept: outcome.kept,
    users: outcome.users?.users,
    roles: outcome.users?.roles,
    safety_snapshot_id: outcome.safety?.id,
    bytes_restored: outcome.bytes,
    indexes: outcome.indexes,
    collections_matched: outcome.matched,
    ...(outcome.replayed ? { replayed: replayedJson(outcome.replayed) } : {}),
    problems: outcome.problems.length,
    problems_of_backup: outcome.inherited,
  };
}

type Replayed = NonNullable<RestoreDatabaseOutcome['replayed']>;

function replayedJson({ last, ...replayed }: Replayed): object {
  const { entries, inserts, updates, deletes, commands, misfits } = replayed;
  return {
    ...{ entries, inserts, updates, deletes, commands, misfits },
    left_out: replayed.leftOut,
    open_transactions: replayed.openTransactions,
    ...(last ? { until: `${last.t}:${last.i}` } : {}),
  };
}

function tellReplayed(output: Session<unknown>['output'], replayed: Replayed): void {
  const { entries, inserts, updates, deletes, commands, leftOut, openTransactions } = replayed;
  const parts = [
    counted(inserts, 'insert'),
    counted(updates, 'update'),
    counted(deletes, 'delete'),
    counted(commands, 'command'),
    ...(leftOut > 0 ? [`${leftOut} left out`] : []),
  ];
  output.note(`replayed ${counted(entries, 'entry', 'entries')} of the oplog: ${parts.join(', ')}`);
  if (openTransactions > 0)
    output.note(`${counted(openTransactions, 'transaction')} not committed then: nothing of them is there`);
}

function tell(output: Session<unknown>['output'], outcome: RestoreDatabaseOutcome, seconds: number): void {
  const { collections, documents, bytes, indexes, views, matched, state, problems, inherited } = outcome;
  const parts = [
    counted(documents, 'document'),
    counted(collections, 'collection'),
    counted(indexes, 'index', 'indexes'),
    ...(views > 0 ? [counted(views, 'view')] : []),
  ];
  output.note(`restored ${parts.join(', ')}: ${formatSize(bytes)} in ${formatSeconds(seconds)}`);
  if (outcome.kept > 0) output.note(`${counted(outcome.kept, 'document')} were there already, byte for byte`);
  for (const { name, reason } of outcome.users?.left ?? []) output.note(`${name} stays as it is: ${reason}`);
  if (outcome.users)
    output.note(
      `restored ${counted(outcome.users.users, 'user')} and ${counted(outcome.users.roles, 'role')}`,
    );
  if (outcome.safety)
    output.note(
      `what was replaced is saved as snapshot ${outcome.safety.id.slice(0, 8)} (${outcome.safety.tags.join(', ')})`,
    );
  if (inherited > 0)
    output.note(`the backup itself was not whole: ${counted(inherited, 'problem')}, see its manifest.json`);
  if (outcome.replayed) tellReplayed(output, outcome.replayed);
  const last = outcome.replayed?.last;
  const success = last
    ? `restored, replayed to ${describeTime(last)}: the backup matched before, every entry was replayed`
    : 'restored and matched: counts, bytes and hashes are those of the manifest';
  output.note(
    state === 'succeeded' && matched === collections
      ? success
      : `not whole: ${counted(problems.length, 'problem')}, listed above (${state})`,
  );
}
