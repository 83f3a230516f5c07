import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { messageOf } from '#base';
import { type CatalogPlace, catalogFileIn, lockState, moveCatalog } from '#catalog';
import { CliError } from '../errors.ts';
import { counted } from '../output.ts';
import { action, examples, type Session } from '../session.ts';

export function define(command: Command): void {
  command
    .command('move')
    .summary('copy a catalog to a place where none is')
    .description(
      'Copies what Holdfast knows from a state directory to PostgreSQL, or back, in one transaction, and compares the two. Stop every server on either first. The first catalog stays as it is.',
    )
    .argument('<from>', 'a state directory, a catalog file, or where a URL lies: env:NAME, file:/path')
    .argument('<to>', 'the same')
    .addHelpText(
      'after',
      examples(
        'holdfast catalog move /var/lib/holdfast env:HOLDFAST_DATABASE_URL',
        'holdfast catalog move file:/etc/holdfast/database-url /var/lib/holdfast',
      ),
    )
    .action(action(run));
}

async function run({ output }: Session<object>, fromText: string, toText: string): Promise<number> {
  const [from, to] = [placeOf(fromText), placeOf(toText)];
  using locks = new DisposableStack();
  for (const directory of directoriesOf(from, to)) locks.use(lockState(directory, who));
  const tables = await moveCatalog({ from, to });
  const rowCount = tables.reduce((sum, table) => sum + table.rowCount, 0);
  if (output.isJson) {
    output.object({
      message_type: 'summary',
      rows: rowCount,
      tables: Object.fromEntries(tables.map((table) => [table.name, table.rowCount])),
    });
  } else {
    output.note(`copied and compared: ${counted(rowCount, 'row')} of ${counted(tables.length, 'table')}`);
    output.note('take the master key along; jobs that had not ended begin anew');
  }
  return 0;
}

/** What is to be ours alone meanwhile. A first place that is not there shall not be made. */
function directoriesOf(from: CatalogPlace, to: CatalogPlace): Set<string> {
  const paths = [from, to].flatMap((place) => ('path' in place ? [place.path] : []));
  return new Set(
    paths
      .filter((path) => !('path' in from) || path !== from.path || existsSync(path))
      .map((path) => dirname(resolve(path))),
  );
}

const who = `holdfast catalog move, process ${process.pid}`;
const url = /^postgres(ql)?:\/\//;

function placeOf(text: string): CatalogPlace {
  const value = referred(text);
  if (value === undefined) {
    if (!url.test(text)) return { path: fileOf(text) };
    throw new CliError('cli.usage', 'a URL with a password does not belong into arguments', {
      hint: 'Everybody on the machine sees arguments. Put the URL into a variable or a file, and write env:NAME or file:/path.',
    });
  }
  if (url.test(value)) return { url: value };
  throw new CliError('cli.usage', `${text} does not hold a URL of PostgreSQL`, {
    hint: 'It must hold postgres://user:password@host/database, and nothing else.',
  });
}

/** What a variable or a file holds; undefined when the text names neither. */
function referred(text: string): string | undefined {
  const [, kind, name] = /^(env|file):(.+)$/.exec(text) ?? [];
  if (name === undefined) return undefined;
  if (kind === 'env') return process.env[name]?.trim() ?? '';
  try {
    return readFileSync(name, 'utf8').trim();
  } catch (error) {
    throw new CliError('cli.usage', `cannot read ${name}: ${messageOf(error)}`, {
      hint: 'Check the path and that this account may read it.',
      cause: error,
    });
  }
}

/** A directory is one of Holdfast's; what is not there yet is one when nothing says that it is a file. */
function fileOf(path: string): string {
  const isDirectory = statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? !path.endsWith('.sqlite');
  return isDirectory ? catalogFileIn(path) : path;
}
