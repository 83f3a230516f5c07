import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { messageOf, systemRandom } from '#base';
import {
  Catalog,
  type CatalogPlace,
  catalogFileIn,
  loadMasterKeys,
  lockState,
  moveCatalog,
  rotateMasterKey,
} from '#catalog';
import { CliError } from '../errors.ts';
import { counted } from '../output.ts';
import { action, examples, type Session } from '../session.ts';
import { stateDirectory } from '../state-directory.ts';

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
    .action(action(runMove));
  command
    .command('rotate-key')
    .summary('make a new master key and seal every secret with it')
    .description(
      'Makes a new master key and seals the secrets of the state directory (HOLDFAST_HOME), or of HOLDFAST_DATABASE_URL, with it. Stop every server first.',
    )
    .addHelpText('after', examples('holdfast catalog rotate-key'))
    .action(action(runRotateKey));
}

async function runRotateKey({ output }: Session<object>): Promise<number> {
  const directory = stateDirectory(process.env);
  const { HOLDFAST_DATABASE_URL: url, HOLDFAST_MASTER_KEY_FILE: keyFile } = process.env;
  const path = keyFile || join(directory, 'master.key');
  const masterKeys = loadMasterKeys(path, { random: systemRandom, mayMake: false });
  using _ = lockState(directory, `holdfast catalog rotate-key, process ${process.pid}`);
  const asIs = (spec: unknown): unknown => spec;
  await using catalog = await Catalog.open({
    place: url ? { url } : { path: catalogFileIn(directory) },
    masterKeys,
    parse: { repository: asIs, source: asIs, plan: asIs, channel: asIs },
  });
  await rotateMasterKey(catalog.secrets, { path, random: systemRandom });
  if (output.isJson) output.object({ message_type: 'summary', master_key_file: path });
  else output.note(`every secret is sealed with a new master key, in ${path}; make the recovery kit anew`);
  return 0;
}

async function runMove({ output }: Session<object>, fromText: string, toText: string): Promise<number> {
  const [from, to] = [placeOf(fromText), placeOf(toText)];
  using locks = new DisposableStack();
  for (const directory of directoriesOf(from, to)) locks.use(lockState(directory, mover));
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

const mover = `holdfast catalog move, process ${process.pid}`;
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
