import type { Command } from 'commander';
import { forgetSnapshots, loadImmutableRule, type StoredSnapshot } from '#repository';
import type { GroupDecision } from '#retention';
import { type ForgetOutcome, forget } from '#workflows';
import { CliError } from '../errors.ts';
import { warnOfShortLock } from '../lock-options.ts';
import { counted, formatTime, table } from '../output.ts';
import { addPolicyOptions, type PolicyOptions, policyOf } from '../policy-options.ts';
import { addPruneOptions, type PruneChoices, pruneAndTell } from '../prune-options.ts';
import { action, examples, type Session } from '../session.ts';
import { nameIn, snapshotJson } from '../snapshot-json.ts';
import { addSnapshotOptions, filterOf, type SnapshotOptions } from '../snapshot-options.ts';

interface Options extends SnapshotOptions, PolicyOptions, PruneChoices {
  dryRun: boolean;
  prune: boolean;
}

export function define(command: Command): void {
  const withPolicy = addPolicyOptions(
    command.argument('[id...]', 'forget just these, whatever the policy says'),
  );
  addPruneOptions(addSnapshotOptions(withPolicy))
    .option('-n, --dry-run', 'show what would be forgotten and why the others stay', false)
    .option('--prune', 'free the space too, at once (prune --grace 0s)', false)
    .addHelpText(
      'after',
      examples(
        'holdfast forget -r /srv/backup --keep-daily 14 --keep-monthly 12 --dry-run',
        'holdfast forget -r /srv/backup --keep-last 5 --name shop --prune',
        'holdfast forget -r /srv/backup 5d0c6fe2',
      ),
    )
    .action(action(run));
}

async function run(session: Session<Options>, ids: string[]): Promise<number> {
  const { options, output, signal } = session;
  const repository = await session.open();
  let count: number;
  if (ids.length > 0) {
    assertNoPolicy(options);
    const chosen = await Promise.all(ids.map((id) => repository.findSnapshot(id, filterOf(options))));
    if (!options.dryRun) await forgetSnapshots(repository, () => chosen.map(({ id }) => id), { signal });
    count = chosen.length;
    if (output.isJson) output.object({ message_type: 'forget', remove: chosen.map(snapshotJson) });
    else tellCount(session, count);
  } else {
    const { groupBy, dryRun } = options;
    warnOfShortLock(output, await loadImmutableRule(repository), policyOf(options));
    const outcome = await forget({
      repository,
      policy: policyOf(options),
      groupBy,
      filter: filterOf(options),
      dryRun,
      signal,
    });
    count = outcome.groups.reduce((sum, group) => sum + group.forget.length, 0);
    tell(session, outcome, count);
  }
  if (options.prune && (count > 0 || options.dryRun))
    await pruneAndTell(session, repository, { ...options, graceMs: 0 });
  return 0;
}

function assertNoPolicy(options: Options): void {
  if (Object.keys(policyOf(options)).length === 0) return;
  throw new CliError('cli.usage', 'ids and a policy were given', {
    hint: 'Name snapshots, or say which ones to keep; not both.',
  });
}

function tell(session: Session<Options>, { groups }: ForgetOutcome, count: number): void {
  const { output } = session;
  if (output.isJson) {
    output.object({ message_type: 'forget', dry_run: session.options.dryRun, groups: groups.map(groupJson) });
    return;
  }
  for (const group of groups) {
    output.note(`\n${titleOf(group)}`);
    const rows = [
      ...group.keep.map(({ snapshot, reasons }) => row(snapshot, 'keep', reasons.join(', '))),
      ...group.forget.map((snapshot) => row(snapshot, 'forget', '')),
    ].sort((a, b) => a[1]!.localeCompare(b[1]!));
    if (rows.length > 0)
      for (const line of table(['ID', 'Time', 'Host', 'Name', 'Fate', 'Because'], rows)) output.note(line);
  }
  tellCount(session, count);
}

function tellCount({ output, options }: Session<Options>, count: number): void {
  output.note(`${counted(count, 'snapshot')} ${options.dryRun ? 'would be forgotten' : 'forgotten'}`);
}

function row(snapshot: StoredSnapshot, fate: string, because: string): string[] {
  const { id, timeNs, hostname, tags } = snapshot;
  return [id.slice(0, 8), formatTime(timeNs), hostname, nameIn(tags) ?? '', fate, because];
}

function titleOf({ key }: GroupDecision<StoredSnapshot>): string {
  const parts = [
    ...(key.hostname === undefined ? [] : [`host ${key.hostname}`]),
    ...(key.name === undefined ? [] : [`name ${key.name || '(none)'}`]),
    ...(key.tags === undefined ? [] : [`tags ${key.tags.join(', ') || '(none)'}`]),
    ...(key.paths === undefined ? [] : [key.paths.join(', ')]),
  ];
  return parts.length > 0 ? parts.join(' · ') : 'all snapshots';
}

function groupJson({ key, keep, forget: dropped }: GroupDecision<StoredSnapshot>) {
  return {
    host: key.hostname,
    paths: key.paths,
    tags: key.tags,
    name: key.name,
    keep: keep.map(({ snapshot }) => snapshotJson(snapshot)),
    remove: dropped.map(snapshotJson),
    reasons: keep.map(({ snapshot, reasons }) => ({ snapshot: snapshot.id, matches: reasons })),
  };
}
