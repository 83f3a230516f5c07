import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { type Command, Option } from 'commander';
import { messageOf, systemClock } from '#base';
import {
  bucketRootOf,
  bucketSource,
  filesSource,
  openArchiveSource,
  type PathListForm,
  parseExcludeFile,
  parsePathList,
  type Source,
  type SourceProblem,
  sourceKindOf,
  streamSource,
  type TagReading,
} from '#sources';
import type { Storage } from '#storage';
import { CliError } from './errors.ts';
import { addMongoOptions, type MongoOptions, mongoSourceOf } from './mongo-options.ts';
import { collectText, parseSize } from './values.ts';

export interface SourceOptions extends MongoOptions {
  exclude?: string[];
  iexclude?: string[];
  excludeFile?: string[];
  iexcludeFile?: string[];
  excludeLargerThan?: number;
  excludeCaches: boolean;
  excludeIfPresent?: string[];
  ignoreFile?: string[];
  gitignore: boolean;
  oneFileSystem: boolean;
  filesFrom?: string[];
  filesFromVerbatim?: string[];
  filesFromRaw?: string[];
  fromArchive?: string;
  stdin: boolean;
  stdinFilename: string;
  objectTags: TagReading;
}

export function addSourceOptions(command: Command): Command {
  addMongoOptions(command);
  return command
    .option('-e, --exclude <pattern>', 'leave out what matches (may be repeated)', collectText)
    .option('--iexclude <pattern>', 'the same, whatever the case of letters', collectText)
    .option('--exclude-file <file>', 'patterns from a file', collectText)
    .option('--iexclude-file <file>', 'the same, whatever the case of letters', collectText)
    .option('--exclude-larger-than <size>', 'leave out files that are larger (2G)', parseSize)
    .option('--exclude-caches', 'leave out folders with a CACHEDIR.TAG', false)
    .option('--exclude-if-present <file[:header]>', 'leave out what lies beside such a file', collectText)
    .option('--gitignore', 'respect .gitignore files', false)
    .option('--ignore-file <name>', 'respect files of this name as .gitignore', collectText)
    .option('-x, --one-file-system', 'stay on the file system of each source', false)
    .option('--files-from <file>', 'sources from a file, as patterns (- is standard input)', collectText)
    .option('--files-from-verbatim <file>', 'sources from a file, one a line', collectText)
    .option('--files-from-raw <file>', 'sources from a file, each ended by NUL', collectText)
    .option('--from-archive <file>', 'an archive of mongodump (- is standard input), as its folder')
    .option('--stdin', 'back standard input up as one file', false)
    .option('--stdin-filename <name>', 'name of that file', 'stdin')
    .addOption(
      new Option('--object-tags <when>', 'ask for the tags of a bucket’s objects that are read')
        .choices(['told', 'always', 'never'])
        .default('told'),
    );
}

export interface ChosenSource {
  source: Source;
  /** What is wrong already: entries of a list that match nothing. */
  problems: SourceProblem[];
  close(): Promise<void>;
}

/**
 * The source that arguments, options and HOLDFAST_SOURCE_URL name.
 * @param openStorage opens the place that is a source
 * @throws CliError 'cli.usage'; SourceError
 */
export async function chooseSource(
  given: readonly string[],
  options: SourceOptions,
  openStorage: (location: string) => Promise<Storage>,
): Promise<ChosenSource> {
  const problems: SourceProblem[] = [];
  const paths = namesNothing(given, options) ? urlOfEnvironment() : given;
  const choose = async (): Promise<Source> => {
    if (options.fromArchive !== undefined) return archive(options.fromArchive, given, options);
    if (options.stdin) return standardInput(paths, options);
    const kinds = new Set(paths.map(sourceKindOf));
    if (kinds.has('mongodb')) {
      const hint = 'Leave out collections with --ns-exclude PATTERN, for example --ns-exclude "shop.tmp*".';
      return mongoSourceOf(onlyOne('a MongoDB deployment', paths, options, hint), options);
    }
    if (!kinds.has('bucket')) return files(paths, options, problems);
    const hint = 'Leave it out, or choose what is saved by the prefix of the location.';
    const location = onlyOne('a bucket', paths, options, hint);
    const root = bucketRootOf(location);
    return bucketSource({ storage: await openStorage(location), root, tags: options.objectTags });
  };
  const source = await choose();
  return { source, problems, close: () => source.close() };
}

/** What the deployment is called is not in an archive. */
function archive(
  file: string,
  given: readonly string[],
  options: SourceOptions & { name?: string },
): Promise<Source> {
  if (given.length > 0 || options.stdin)
    throw new CliError('cli.usage', 'an archive is backed up alone', {
      hint: 'Leave out the other sources, or --from-archive.',
    });
  const stem = file === '-' ? 'archive' : basename(file).replace(/\.(gz|archive|bson)$/g, '');
  return openArchiveSource({ file, name: options.name ?? stem });
}

function namesNothing(given: readonly string[], options: SourceOptions): boolean {
  const lists = [options.filesFrom, options.filesFromVerbatim, options.filesFromRaw];
  return (
    given.length === 0 &&
    !options.stdin &&
    options.fromArchive === undefined &&
    lists.every((list) => list === undefined)
  );
}

/** A URL with a password does not belong into arguments, which every user of the machine can read. */
function urlOfEnvironment(): string[] {
  const url = process.env.HOLDFAST_SOURCE_URL;
  return url ? [url] : [];
}

/** Rather refused than read otherwise than was said. @throws CliError 'cli.usage' */
function onlyOne(what: string, paths: readonly string[], options: SourceOptions, hint: string): string {
  const [location, ...more] = paths;
  if (more.length > 0)
    throw new CliError('cli.usage', `${what} is backed up alone`, {
      hint: 'Back up each of them, and files, by a command of its own.',
    });
  const given = ofFilesOnly.filter((name) => {
    const value = options[name];
    return Array.isArray(value) ? value.length > 0 : value;
  });
  if (given.length > 0)
    throw new CliError('cli.usage', `${what} knows no ${given.map(optionOf).join(', ')}`, { hint });
  return location!;
}

const ofFilesOnly = [
  ...(['exclude', 'iexclude', 'excludeFile', 'iexcludeFile', 'excludeLargerThan', 'excludeCaches'] as const),
  ...(['excludeIfPresent', 'ignoreFile', 'gitignore', 'oneFileSystem'] as const),
  ...(['filesFrom', 'filesFromVerbatim', 'filesFromRaw'] as const),
] satisfies readonly (keyof SourceOptions)[];

function optionOf(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function standardInput(paths: readonly string[], options: SourceOptions): Source {
  if (paths.length > 0) {
    throw new CliError('cli.usage', 'standard input and files cannot be backed up together', {
      hint: 'Leave out --stdin, or the files.',
    });
  }
  if (process.stdin.isTTY) {
    throw new CliError('cli.usage', 'standard input is the terminal', {
      hint: 'Pipe a command into it: pg_dump shop | holdfast backup --stdin --stdin-filename shop.sql',
    });
  }
  const modifiedAt = new Date(systemClock.nowMs());
  return streamSource({ name: options.stdinFilename, open: () => process.stdin, modifiedAt });
}

function files(paths: readonly string[], options: SourceOptions, problems: SourceProblem[]): Source {
  const listed = listedPaths(options, problems);
  if (paths.length + listed.length === 0) {
    throw new CliError('cli.usage', 'nothing to back up was given', {
      hint: 'Name files or folders, or give --files-from or --stdin.',
    });
  }
  return filesSource({
    paths: [...paths, ...listed],
    excludes: [...(options.exclude ?? []), ...patternsIn(options.excludeFile)],
    excludesIgnoringCase: [...(options.iexclude ?? []), ...patternsIn(options.iexcludeFile)],
    excludeLargerThanBytes: options.excludeLargerThan,
    excludeCaches: options.excludeCaches,
    excludeIfPresent: options.excludeIfPresent,
    ignoreFiles: [...(options.gitignore ? ['.gitignore'] : []), ...(options.ignoreFile ?? [])],
    oneFileSystem: options.oneFileSystem,
  });
}

function patternsIn(paths: readonly string[] = []): string[] {
  return paths.flatMap((path) => parseExcludeFile(readList(path).toString(), process.env));
}

function listedPaths(options: SourceOptions, problems: SourceProblem[]): Uint8Array[] {
  const forms: [PathListForm, string[] | undefined][] = [
    ['patterns', options.filesFrom],
    ['verbatim', options.filesFromVerbatim],
    ['raw', options.filesFromRaw],
  ];
  return forms.flatMap(([form, lists = []]) =>
    lists.flatMap((list) => {
      const { paths, unmatched } = parsePathList(readList(list), form, process.cwd());
      for (const pattern of unmatched)
        problems.push({ path: pattern, error: new Error('matches nothing that exists'), gravity: 'lost' });
      return paths;
    }),
  );
}

function readList(path: string): Buffer {
  try {
    return readFileSync(path === '-' ? 0 : path);
  } catch (error) {
    throw new CliError('cli.usage', `cannot read the list ${path}: ${messageOf(error)}`, {
      hint: 'Check the path and that this account may read it.',
      cause: error,
    });
  }
}
