import type { Command } from 'commander';
import { type FindRequest, type FoundEntry, findInSnapshots, type StoredSnapshot } from '#repository';
import { chooseSnapshots } from '../choose-snapshots.ts';
import { tellDamagedIndex } from '../damaged-index.ts';
import { CliError } from '../errors.ts';
import { tellDocuments } from '../find-by-id.ts';
import { nodeJson } from '../node-json.ts';
import { nodeLine } from '../node-line.ts';
import { formatTime } from '../output.ts';
import { action, examples, exitCodePartial, type Session } from '../session.ts';
import { isoTime } from '../snapshot-json.ts';
import { addSnapshotOptions, type SnapshotOptions } from '../snapshot-options.ts';
import { collectText, parseTimeNs } from '../values.ts';

interface Options extends SnapshotOptions {
  snapshot?: string[];
  ignoreCase: boolean;
  oldest?: bigint;
  newest?: bigint;
  long: boolean;
  blob: boolean;
  tree: boolean;
  pack: boolean;
  id?: string[];
  nsInclude?: string[];
}

export function define(command: Command): void {
  addSnapshotOptions(command.argument('[pattern...]', 'names or paths with * ? [a-z] and **; or ids'))
    .option('-s, --snapshot <id>', 'only in this snapshot (may be repeated)', collectText)
    .option('-i, --ignore-case', 'A is a', false)
    .option('-O, --oldest <time>', 'modified then or later', parseTimeNs)
    .option('-N, --newest <time>', 'modified then or before', parseTimeNs)
    .option('-l, --long', 'with modes, owners, sizes and times', false)
    .option('--blob', 'the patterns are ids of blobs: which files have them', false)
    .option('--tree', 'the patterns are ids of folders', false)
    .option('--pack', 'the patterns are ids of packs: which files need them', false)
    .option('--id <value>', 'MongoDB: documents of this _id in the dumps (may be repeated)', collectText)
    .option('--ns-include <pattern>', 'MongoDB: only in such namespaces, like shop.*', collectText)
    .addHelpText(
      'after',
      examples(
        "holdfast find '*.sql' -r /srv/backup",
        "holdfast find '/home/*/thesis/**' -r /srv/backup --name laptop --newest 2026-11-01",
        'holdfast find --pack 5d0c6fe2 -r /srv/backup',
        'holdfast find --id 65f1c0ffee65f1c0ffee65f1 --ns-include shop.orders -s latest -r /srv/backup',
      ),
    )
    .action(action(run));
}

async function run(session: Session<Options>, patterns: string[]): Promise<number> {
  const { options, output, signal } = session;
  assertOneKind(options, patterns);
  const repository = await session.open();
  await using lock = await repository.lock({ exclusive: false, signal });
  const snapshots = await chooseSnapshots(repository, options.snapshot ?? [], options);
  if (options.id) {
    const { id: ids, nsInclude: includes } = options;
    await tellDocuments(output, { repository, snapshots, ids, includes, signal: lock.signal });
    return 0;
  }
  const wanted = wantedOf(options, patterns);
  let damaged = await tellDamagedIndex(repository, output);
  const found = findInSnapshots(repository, {
    ...wanted,
    snapshots,
    ignoreCase: options.ignoreCase,
    oldestNs: options.oldest,
    newestNs: options.newest,
    onDamaged: ({ path, error, snapshot }) => {
      damaged++;
      output.problem(`${snapshot.id.slice(0, 8)}:${path}`, error, 'lost');
    },
    signal: lock.signal,
  });
  if (output.isJson) output.object(wanted.patterns ? await matchesJson(found) : await objectsJson(found));
  else await tell(session, found);
  return damaged > 0 ? exitCodePartial : 0;
}

function assertOneKind({ id, blob, tree, pack }: Options, patterns: readonly string[]): void {
  if (id ? patterns.length === 0 && !blob && !tree && !pack : patterns.length > 0) return;
  throw new CliError('cli.usage', id ? '--id goes without patterns' : 'nothing to find was given', {
    hint: 'Give patterns of names, or --id with --ns-include.',
  });
}

function wantedOf({ blob, tree, pack }: Options, patterns: string[]): Omit<FindRequest, 'snapshots'> {
  if (Number(blob) + Number(tree) + Number(pack) > 1) {
    throw new CliError('cli.usage', '--blob, --tree and --pack exclude each other', {
      hint: 'Give one of them.',
    });
  }
  if (blob) return { blobs: patterns };
  if (tree) return { trees: patterns };
  return pack ? { packs: patterns } : { patterns };
}

async function tell({ options, output }: Session<Options>, found: AsyncIterable<FoundEntry>): Promise<void> {
  let count = 0;
  let last: StoredSnapshot | undefined;
  for await (const { snapshot, path, node, object } of found) {
    if (snapshot !== last) {
      output.note(
        `${count > 0 ? '\n' : ''}snapshot ${snapshot.id.slice(0, 8)} at ${formatTime(snapshot.timeNs)}`,
      );
    }
    last = snapshot;
    count++;
    const line = node ? nodeLine(path, node, { isLong: options.long }) : path;
    output.line(object ? `${object.type} ${object.id.slice(0, 12)}  ${line}` : line);
  }
  if (count === 0) output.note('nothing was found');
}

/** As restic's: a list with an object for each snapshot that has something. */
async function matchesJson(found: AsyncIterable<FoundEntry>): Promise<unknown[]> {
  const lists: { matches: unknown[]; hits: number; snapshot: string }[] = [];
  for await (const { snapshot, path, node } of found) {
    if (lists.at(-1)?.snapshot !== snapshot.id) lists.push({ matches: [], hits: 0, snapshot: snapshot.id });
    const list = lists.at(-1)!;
    list.matches.push(nodeJson(path, node!));
    list.hits++;
  }
  return lists;
}

async function objectsJson(found: AsyncIterable<FoundEntry>): Promise<unknown[]> {
  const list: unknown[] = [];
  for await (const { snapshot, path, object } of found) {
    const { type, id } = object!;
    list.push({ object_type: type, id, path, snapshot: snapshot.id, time: isoTime(snapshot.timeNs) });
  }
  return list;
}
