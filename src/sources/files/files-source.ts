import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Clock, type Posix, systemClock, systemPosix } from '#base';
import { SourceError } from '../errors.ts';
import type { Source, SourceEvent } from '../source.ts';
import { type ExcludeOptions, ExcludeRules } from './exclude-rules.ts';
import { fromByteText } from './names.ts';
import { cleanPath, mayExist, startTree } from './start-paths.ts';
import { Walker } from './walker.ts';

export interface FilesSourceOptions extends ExcludeOptions {
  /** What to read: files and folders, absolute or relative to `cwd`. Bytes where a name is not UTF-8. */
  paths: readonly (string | Uint8Array)[];
  /** Default: the working directory of the process. */
  cwd?: string | undefined;
  /** Does not enter folders on other file systems than that of the path given; they are saved empty. */
  oneFileSystem?: boolean | undefined;
  posix?: Posix | undefined;
  clock?: Clock | undefined;
}

/** What a walk has seen so far. */
export interface Totals {
  files: number;
  folders: number;
  sizeBytes: number;
}

export interface FilesSource extends Source {
  /** Walks without reading, to know how much there is; yields the totals so far, the last is complete. */
  estimate(signal: AbortSignal): AsyncIterable<Totals>;
}

/** How long the event loop may wait for us. */
const turnMsMax = 10;
/** Entries between two totals of an estimate. */
const entriesPerTotal = 10_000;
/** Only files with very long paths are streams. */
const streamConcurrency = 4;

/**
 * Files and folders of this machine, with all that POSIX knows of them. Paths are made absolute, but links in
 * them are kept; the upper folders of each come as entries. Sockets stay out.
 * @throws SourceError 'sources.pattern'
 */
export function filesSource(options: FilesSourceOptions): FilesSource {
  const posix = options.posix ?? systemPosix();
  const clock = options.clock ?? systemClock;
  const cwd = options.cwd ?? process.cwd();
  const paths = [...new Set(options.paths.map((path) => cleanPath(path, cwd)))];
  // A malformed pattern is told now, not when the walk starts.
  new ExcludeRules(posix, options);

  const openWalker = (sizesOnly: boolean): Walker => {
    const rules = new ExcludeRules(posix, options);
    const oneFileSystem = options.oneFileSystem ?? false;
    return new Walker(posix, { starts: startTree(paths), rules, oneFileSystem, sizesOnly });
  };

  return {
    paths: paths.map((path) => fromByteText(path).toString()),
    streamConcurrency,
    async *read(signal) {
      if (!paths.some(mayExist)) throw allAbsent();
      for await (const events of walk(openWalker(false), clock, signal))
        for (const event of events) yield event;
    },
    async *estimate(signal) {
      const totals: Totals = { files: 0, folders: 0, sizeBytes: 0 };
      for await (const events of walk(openWalker(true), clock, signal))
        for (const event of events) {
          if (event.kind !== 'entry') continue;
          if (event.attributes.type === 'dir') totals.folders++;
          else totals.files++;
          totals.sizeBytes += event.attributes.sizeBytes;
          if ((totals.files + totals.folders) % entriesPerTotal === 0) yield { ...totals };
        }
      yield totals;
    },
    close: async () => {},
  };
}

/** Steps of the walker that had something to tell; lets the event loop turn when it is due. */
async function* walk(
  walker: Walker,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<readonly SourceEvent[]> {
  let turnStartMs = clock.monotonicMs();
  try {
    while (!walker.isDone) {
      signal.throwIfAborted();
      const events = walker.step();
      if (events.length) yield events;
      if (clock.monotonicMs() - turnStartMs < turnMsMax) continue;
      await nextTurn();
      turnStartMs = clock.monotonicMs();
    }
  } finally {
    walker.close();
  }
}

function allAbsent(): SourceError {
  return new SourceError('sources.absent', 'none of the paths exists', {
    hint: 'Check the spelling, and whether a disk that should be mounted is.',
  });
}
