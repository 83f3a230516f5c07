import type { Command } from 'commander';
import { messageOf } from '#base';
import {
  initRepository,
  type OpenOptions,
  openRepository,
  type Repository,
  surviveLockProbes,
  systemOwner,
} from '#repository';
import { openStorage, parseLocation, type Storage } from '#storage';
import { hostKeyAsker } from './ask-host-key.ts';
import { cacheDirectory } from './cache-directory.ts';
import { CliError } from './errors.ts';
import type { GlobalOptions } from './global-options.ts';
import { interruption } from './interruption.ts';
import { Output } from './output.ts';
import { readPassword } from './password.ts';

/** What every command that works on a repository is given. */
export interface Session<Options> {
  options: Options & GlobalOptions;
  output: Output;
  /** Aborted when the user ends the command. */
  signal: AbortSignal;
  /** Opens the repository that the options name; closed after the command. */
  open(): Promise<Repository>;
  /** Opens another one. @param passwords where its password comes from */
  openAt(location: string, passwords: Passwords): Promise<Repository>;
  /** Opens a place that is no repository; closed after the command. */
  openPlace(location: string, options?: PlaceOptions): Promise<Storage>;
  /** Opens the place that the options name, as it is now; closed after the command. */
  openStorage(): Promise<Storage>;
  init(options: { chunkerPolynomial?: bigint }): Promise<Repository>;
}

interface PlaceOptions {
  /** As it was then. */
  asOf?: Date | undefined;
  /** Where its login comes from; by default the process's own. */
  environment?: NodeJS.ProcessEnv | undefined;
}

export interface Passwords {
  passwordFile?: string;
  passwordCommand?: string;
  environment: NodeJS.ProcessEnv;
}

/** Exit code of work that was done, but not wholly (restic's 3). */
export const exitCodePartial = 3;

/**
 * Wraps the action of a command: `run` gets its arguments, and what it returns is the exit code.
 * Storages are closed and signals seen to.
 */
export function action<Options>(
  run: (session: Session<Options>, ...args: never[]) => Promise<number>,
): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    const command = given.at(-1) as Command;
    const options = command.optsWithGlobals() as Options & GlobalOptions;
    const opened: Storage[] = [];
    const session = newSession(options, opened);
    surviveLockProbes();
    try {
      process.exitCode = await run(session, ...(given.slice(0, -2) as never[]));
    } finally {
      for (const storage of opened) await storage.close();
    }
  };
}

function newSession<Options>(options: Options & GlobalOptions, opened: Storage[]): Session<Options> {
  const signal = interruption();
  const output = new Output(options);
  const storageAt = async (location: string, { asOf, environment }: PlaceOptions = {}): Promise<Storage> => {
    const { limitUpload, limitDownload } = options;
    const storage = await openStorage(location, {
      ...(asOf ? { asOf } : {}),
      ...(environment ? { env: environment } : {}),
      limits: {
        ...(limitUpload ? { uploadBytesPerSecond: limitUpload } : {}),
        ...(limitDownload ? { downloadBytesPerSecond: limitDownload } : {}),
      },
      sftp: hostKeyAsker(),
    });
    opened.push(storage);
    return storage;
  };
  const cacheFor = async (location: string): Promise<Pick<OpenOptions, 'cache' | 'onCacheProblem'>> => {
    const folder = cacheFolder(options, location);
    if (folder === undefined) return {};
    const cache = await openStorage(`local:${folder}`);
    opened.push(cache);
    const hint = 'Choose another folder by --cache-dir, or do without by --no-cache.';
    return { cache, onCacheProblem: (error) => output.warning(`no cache: ${messageOf(error)}. ${hint}`) };
  };
  const common = {
    signal,
    // Nobody writes the past.
    withoutLock: !options.lock || options.asOf !== undefined,
    ...(options.retryLock === undefined ? {} : { retryLockMs: options.retryLock }),
    ...(process.env.HOLDFAST_HOST ? { owner: systemOwner(process.env.HOLDFAST_HOST) } : {}),
  };
  const own: Passwords = { ...options, environment: process.env };
  const openAt = async (location: string, passwords: Passwords): Promise<Repository> => {
    const password = await readPassword(passwords, passwords.environment, { isNew: false });
    return openRepository({
      ...common,
      ...(await cacheFor(location)),
      storage: await storageAt(location, options),
      password,
      ...(options.keyHint ? { keyHint: options.keyHint } : {}),
    });
  };
  return {
    options,
    output,
    signal,
    openAt,
    open: () => openAt(locationOf(options), own),
    openPlace: storageAt,
    openStorage: () => storageAt(locationOf(options)),
    init: async (more) => {
      const location = locationOf(options);
      const password = await readPassword(own, process.env, { isNew: true });
      return initRepository({ ...common, ...more, storage: await storageAt(location), password });
    },
  };
}

/** What rests on this machine is close by already; the past is not kept, nor may it clear away the present. */
function cacheFolder({ cache, cacheDir, asOf }: GlobalOptions, location: string): string | undefined {
  if (!cache || asOf) return undefined;
  return cacheDir ?? (parseLocation(location).kind === 'local' ? undefined : cacheDirectory(process.env));
}

function locationOf({ repo }: GlobalOptions): string {
  if (repo) return repo;
  throw new CliError('cli.no-repository', 'no repository was given', {
    hint: 'Give -r LOCATION, for example -r /srv/backup, or set HOLDFAST_REPOSITORY.',
  });
}

/** Examples below the help of a command. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}\n`;
}
