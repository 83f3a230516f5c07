import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseSize, parseTimeNs } from './values.ts';

/** Options of every command; they may stand before or after its name. */
export interface GlobalOptions {
  repo?: string;
  passwordFile?: string;
  passwordCommand?: string;
  keyHint?: string;
  /** False by --no-lock. */
  lock: boolean;
  retryLock?: number;
  /** False by --no-cache. */
  cache: boolean;
  cacheDir?: string;
  limitUpload?: number;
  limitDownload?: number;
  /** Read the repository as it was then. */
  asOf?: Date;
  json: boolean;
  quiet: boolean;
}

export function addGlobalOptions(program: Command): void {
  program
    .addOption(new Option('-r, --repo <location>', 'where the repository is').env('HOLDFAST_REPOSITORY'))
    .addOption(
      new Option('-p, --password-file <file>', 'file with the password').env('HOLDFAST_PASSWORD_FILE'),
    )
    .addOption(
      new Option('--password-command <command>', 'program that prints the password').env(
        'HOLDFAST_PASSWORD_COMMAND',
      ),
    )
    .addOption(new Option('--key-hint <id>', 'key to try first').env('HOLDFAST_KEY_HINT'))
    .option('--no-lock', 'read without a lock, for a storage that cannot be written')
    .option('--retry-lock <duration>', 'wait so long for a lock (10m)', parseDurationMs)
    .option('--no-cache', 'keep no copies of what index and snapshot files say')
    .addOption(
      new Option('--cache-dir <folder>', 'where to keep those copies, encrypted').env('HOLDFAST_CACHE_DIR'),
    )
    .option('--limit-upload <rate>', 'most bytes per second to the storage (2M)', parseSize)
    .option('--limit-download <rate>', 'most bytes per second from the storage (2M)', parseSize)
    .option('--as-of <time>', 'read a storage that keeps versions as it was at a time', parseTime)
    .option('--json', 'answer in JSON: one object, or one a line', false)
    .option('-q, --quiet', 'tell only what went wrong', false);
}

function parseTime(text: string): Date {
  return new Date(Number(parseTimeNs(text) / 1_000_000n));
}

const unitsMs: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000 };

/** `90s`, `10m`, `1h30m` in milliseconds. */
export function parseDurationMs(text: string): number {
  if (!/^(\d{1,6}[smh])+$/.test(text)) throw new InvalidArgumentError('Write it like 90s, 10m or 1h30m.');
  let totalMs = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)([smh])/g)) totalMs += Number(count) * unitsMs[unit!]!;
  return totalMs;
}
